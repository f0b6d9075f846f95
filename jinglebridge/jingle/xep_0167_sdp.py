"""XEP-0167 and SDP: the codecs of a description and the lines of an m= section, both ways.

Which codecs an SDP may list is decided here for both. J-113 … J-126, J-139.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from jinglebridge.errors import SdpError
from jinglebridge.jingle import xep_0293, xep_0294, xep_0339, xep_0507
from jinglebridge.jingle.roles import Role
from jinglebridge.jingle.xep_0167 import BITRATE, STATIC, Bandwidth, PayloadType, RtpDescription, parameter
from jinglebridge.kept import MAX_LENGTH, Kept
from jinglebridge.sdp import CodecLines, MediaDescription
from jinglebridge.sdp.attributes import encoding, milliseconds, parameters

# Formats that carry other formats: kept only with them. J-120
_CARRIERS = frozenset({"rtx", "red", "ulpfec", "flexfec-03"})
_NO_PTIME = frozenset({"cn", "red", "telephone-event"})


def usable(description: RtpDescription) -> tuple[PayloadType, ...]:
    """The payload types that an SDP may list, names and rates completed. J-115 … J-117, J-120.

    Dropped: an id that stands twice or collides with RTCP (64-95, RFC 5761 §4), a dynamic id without a name, an audio codec
    without a clock rate, and a carrier (rtx, red, …) of something dropped.
    """
    found: dict[int, PayloadType] = {}
    carriers: dict[int, frozenset[int]] = {}
    known = _USES.get
    for payload in description.payload_types:
        use = known(id(payload)) or _use(payload, description.media)
        if use is not None:
            number, completed, targets = use
            if number not in found:
                found[number] = completed
                if targets is not None:
                    carriers[number] = targets
    if carriers:
        kept = _carried(found, carriers)
        if len(kept) < len(found):
            return tuple([payload for number, payload in found.items() if number in kept])
    return tuple(found.values())


class _Use(NamedTuple):
    """A payload type as an SDP may list it; `targets`: ids of what it carries, None if it is no carrier."""

    number: int
    payload: PayloadType
    targets: frozenset[int] | None


# By identity, which is quicker than by value: what is kept is held, so no other can have its number.
_USES: Kept[int, _Use] = Kept()


def _use(payload: PayloadType, media: str) -> _Use | None:
    """What `usable` makes of one payload type, the others apart."""
    number, name = payload.id, payload.name.lower()
    if 64 <= number <= 95:
        return None
    vague = payload.clockrate is None or not name or (name == "opus" and payload.channels != 2)
    complete = _complete(payload, media) if vague else payload
    if complete is None:
        return None
    use = _Use(number, complete, _targets(complete) if name in _CARRIERS else None)
    if not vague:
        _USES.keep(id(payload), use, size(payload))
    return use


def size(payload: PayloadType) -> int:
    """Characters of its texts, for `Kept`; of one that holds foreign elements more than is ever kept."""
    size = MAX_LENGTH + 1 if payload.unknown else len(payload.name)
    for name, value in payload.parameters:
        size += len(name) + len(value)
    for type, subtype, more, unknown in payload.feedback:
        size += MAX_LENGTH + 1 if unknown else len(type) + len(subtype or "")
        for name, value in more:
            size += len(name) + len(value)
    return size


def _complete(payload: PayloadType, media: str) -> PayloadType | None:
    name, rate = payload.name, payload.clockrate
    if not name or rate is None:
        static = STATIC.get(payload.id)
        if static is not None and name.upper() in ("", static[0]):
            name, rate = name or static[0], rate or static[1]
        elif media == "video":
            rate = rate or 90000
        if not name or rate is None:
            return None
    # COMPAT(Gajim 1.7): Opus without channels; RFC 7587 §7 always writes two.
    channels = 2 if name.lower() == "opus" else payload.channels
    return payload._replace(name=name, clockrate=rate, channels=channels)


def _carried(found: dict[int, PayloadType], carriers: dict[int, frozenset[int]]) -> set[int]:
    """Ids without the carriers of something that is not there, and without what carries only those."""
    kept = found.keys() - carriers.keys()
    waiting: dict[int, set[int]] = {}
    for number, targets in carriers.items():
        if targets <= kept:
            kept.add(number)
        else:
            waiting[number] = set(targets)
    if not waiting:  # as everybody lists them: a carrier behind what it carries
        return kept
    users: dict[int, list[int]] = {}
    for number, missing in waiting.items():
        missing -= kept
        for target in missing:
            users.setdefault(target, []).append(number)
    ready = [number for number, missing in waiting.items() if not missing]
    while ready:
        target = ready.pop()
        kept.add(target)
        for number in users.get(target, ()):
            waiting[number].discard(target)
            if not waiting[number]:
                ready.append(number)
    return kept


_NOTHING = -1  # a target that nobody has


def _targets(payload: PayloadType) -> frozenset[int]:
    """Ids of what a carrier carries; empty if it does not say."""
    for name, value in payload.parameters:
        if name == "apt":
            return frozenset({_id(value)})
    if payload.name.lower() == "rtx":
        return frozenset({_NOTHING})
    return frozenset(_id(part) for p in payload.parameters if not p.name for part in p.value.split("/") if part.isdigit())


_IDS = {str(number): number for number in range(128)}


def _id(value: str) -> int:
    known = _IDS.get(value)
    if known is not None:
        return known
    return int(value) if value.isascii() and value.isdigit() and len(value) < 4 else _NOTHING


def from_sdp(media: MediaDescription, author: Role) -> RtpDescription:
    """Description of one m= section. Malformed attribute lines are dropped, never raised."""
    if media.codecs is None:
        payloads, everywhere = _scattered(media)
    else:
        payloads, everywhere = _together(media.formats, media.codecs), ((), ())
    sources, groups = xep_0339.from_sdp(media)
    return RtpDescription(
        media.kind,
        with_ptime(media, payloads),
        tuple(_bandwidths(media.values("b"))),
        "rtcp-mux" in media or "rtcp-mux-only" in media,
        "rtcp-rsize" in media,
        False,
        *everywhere,
        xep_0294.from_sdp(media, author),
        media.inherited("extmap-allow-mixed") is not None,
        groups,
        sources,
        categories=xep_0507.from_sdp(media),
    )


def _together(formats: Iterable[str], codecs: Mapping[str, CodecLines]) -> tuple[PayloadType, ...]:
    """The codecs of a section that says all about each of them in one place."""
    found, known = [], _READ.get
    for id in dict.fromkeys(formats):
        codec = codecs.get(id)
        if codec is None:
            payload = _payload((id, None, None, ()))
        else:
            payload = known(codec.text) or _READ.keep(codec.text, _of(codec), len(codec.text))
        if payload is not None:
            found.append(payload)
    return tuple(found)


def _of(codec: CodecLines) -> PayloadType | None:
    values = dict(codec.values)
    described, format = _by_id(values["rtpmap"]), _by_id(values.get("fmtp", ()))
    feedback = [value.partition(" ")[2] for value in values.get("rtcp-fb", ())]
    return _payload((codec.id, described[codec.id], format.get(codec.id), tuple(feedback)))


def _scattered(media: MediaDescription) -> tuple[tuple[PayloadType, ...], xep_0293.Feedback]:
    """The codecs of any section, and what it says of all of them."""
    maps, formats = _by_id(media.all("rtpmap")), _by_id(media.all("fmtp"))
    feedback = xep_0293.values_by_id(media)
    found = []
    for id in dict.fromkeys(media.formats):
        lines = (id, maps.get(id), formats.get(id), tuple(feedback.get(id, ())))
        payload = _READ.get(lines) or _READ.keep(lines, _payload(lines), _length(lines))
        if payload is not None:
            found.append(payload)
    return tuple(found), xep_0293.feedback(feedback.get("*", ()))


def _by_id(values: Iterable[str]) -> dict[str, str]:
    """Rest of each value by its payload type; of two for one the first counts (J-139)."""
    found: dict[str, str] = {}
    for value in values:
        id, _, rest = value.partition(" ")
        if id not in found:
            found[id] = rest.strip()
    return found


# What an SDP says about one payload type: its number, and the values of its rtpmap, fmtp and rtcp-fb lines behind the number.
_Lines = tuple[str, str | None, str | None, tuple[str, ...]]
# Browsers write the same thirty codecs into every offer. By `CodecLines.text` where that is at hand.
_READ: Kept[str | _Lines, PayloadType | None] = Kept()
_WRITTEN: Kept[int, tuple[PayloadType, tuple[str, ...]]] = Kept()  # by identity, as above; none that has a ptime


def _length(lines: _Lines) -> int:
    id, described, format, feedback = lines
    return len(id) + len(described or "") + len(format or "") + sum(map(len, feedback))


def _payload(lines: _Lines) -> PayloadType | None:
    """One codec; None for a number that is none or has no meaning."""
    id, described, format, feedback = lines
    if not (id.isascii() and id.isdigit() and len(id) < 4 and int(id) < 128):
        return None
    number = int(id)
    if described is not None:
        try:
            name, rate, channels = encoding(described)
        except SdpError:
            return None
    elif number in STATIC:
        (name, rate), channels = STATIC[number], 1
    else:
        return None
    pairs = () if format is None else tuple([parameter(name, value) for name, value in parameters(format)])
    return PayloadType(number, name, rate, channels, None, None, pairs, *xep_0293.feedback(feedback))


def with_ptime(media: MediaDescription, payloads: tuple[PayloadType, ...]) -> tuple[PayloadType, ...]:
    """The codecs of a section with its ptime and maxptime. SDP has one of each: the first real audio codec gets them. J-121"""
    ptime, maxptime = _milliseconds(media.get("ptime")), _milliseconds(media.get("maxptime"))
    if media.kind != "audio" or (ptime is None and maxptime is None):
        return payloads
    real = (p.id for p in usable(RtpDescription(media.kind, payloads)) if p.name.lower() not in _NO_PTIME)
    first = next(real, None)
    return tuple(p._replace(ptime=ptime if p.id == first else None, maxptime=maxptime if p.id == first else None) for p in payloads)


def _milliseconds(value: str | None) -> int | None:
    try:
        return None if value is None else milliseconds(value)
    except SdpError:
        return None


def _bandwidths(values: Iterable[str]) -> Iterable[Bandwidth]:
    """AS before TIAS, one each; other types and non-numbers are dropped. J-126"""
    found = {}
    for value in values:
        type, _, number = value.partition(":")
        try:
            if type in ("AS", "TIAS"):
                found[type] = Bandwidth(type, BITRATE.parse(number))
        except ValueError:
            continue
    return (found[type] for type in ("AS", "TIAS") if type in found)


def to_sdp(media: MediaDescription, description: RtpDescription, payloads: Sequence[PayloadType]) -> None:
    """The codec lines of one section: rtpmap, rtcp-fb, fmtp, ptime."""
    found: list[str] = []
    known, timed = _WRITTEN.get, []
    for payload in payloads:
        written = known(id(payload))
        if written is None:
            written = payload, _lines(payload)
            if payload.ptime is not None or payload.maxptime is not None:
                timed.append(payload)
            else:
                _WRITTEN.keep(id(payload), written, size(payload))
        found += written[1]
    media.extend(found)
    xep_0293.to_sdp(media, "*", description.feedback, description.trr_int)
    # COMPAT(Movim 0.2x): writes them on the description.
    ptime, maxptime = description.ptime, description.maxptime
    for payload in reversed(timed):  # the first that says one counts
        ptime = payload.ptime if payload.ptime is not None else ptime
        maxptime = payload.maxptime if payload.maxptime is not None else maxptime
    if ptime is not None:
        media.add("ptime", str(ptime))
    if maxptime is not None:
        media.add("maxptime", str(maxptime))


def _lines(payload: PayloadType) -> tuple[str, ...]:
    """The lines of one codec."""
    channels = f"/{payload.channels}" if payload.channels > 1 else ""
    lines = [f"a=rtpmap:{payload.id} {payload.name}/{payload.clockrate}{channels}"]
    lines += [f"a=rtcp-fb:{value}" for value in xep_0293.values(str(payload.id), payload.feedback, payload.trr_int)]
    format = ";".join([f"{p.name}={p.value}" if p.name else p.value for p in payload.parameters if p.name or p.value])
    if format:
        lines.append(f"a=fmtp:{payload.id} {format}")
    return tuple(lines)
