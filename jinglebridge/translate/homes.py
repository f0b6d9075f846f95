"""Which SDP lines have a place in Jingle, and when two lines say the same.

The rule behind `extensions`: a line that a standard element gives is never carried a second time, and never believed against one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinglebridge.errors import SdpError
from jinglebridge.jingle import Content
from jinglebridge.jingle.xep_0176 import candidate_from_line
from jinglebridge.jingle.xep_0294 import usable
from jinglebridge.jingle.xep_0339 import DROPPED
from jinglebridge.sdp import Direction, MediaDescription
from jinglebridge.sdp.attributes import candidate, encoding, extmap, fingerprint, parameters, ssrc

DIRECTIONS = frozenset(direction.value for direction in Direction)

# Keys of media encryption other than DTLS: one that is echoed makes the media undecodable, one that is logged makes it public.
NEVER = frozenset({"crypto", "key-mgmt"})

# What may stand once at session level for all sections, and that the default mapping writes in each of them.
LIFTABLE = DIRECTIONS | {
    "end-of-candidates",
    "extmap-allow-mixed",
    "fingerprint",
    "ice-options",
    "ice-pwd",
    "ice-ufrag",
    "setup",
}

# What decides who the other side is and where it is found: given by standard elements alone, whatever an extension says.
STANDARD_ONLY = NEVER | DIRECTIONS | {"fingerprint", "group", "ice-pwd", "ice-ufrag", "mid", "rtcp-mux", "sctp-port", "sctpmap", "setup"}


def name_of_line(line: str) -> str:
    """Name of an attribute line; of another line its letter and "="."""
    return line[2:].partition(":")[0] if line[:2] == "a=" else line[:2]


def value_of_line(line: str) -> str:
    """What follows the name of an attribute line."""
    return line[2:].partition(":")[2]


def _words(value: str) -> Any:
    return tuple(value.split())


def _numbered(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def meaning(value: str) -> Any:
        id, _, rest = value.partition(" ")
        return id, read(rest)

    return meaning


def _extmap(value: str) -> Any:
    item = extmap(value)
    return item._replace(attributes=" ".join(item.attributes.split()))


def _encoding(rest: str) -> Any:
    found = encoding(rest)
    return found._replace(channels=2) if found.name.lower() == "opus" else found


_MEANING: dict[str, Callable[[str], Any]] = {
    "extmap": _extmap,
    "fingerprint": fingerprint,
    "fmtp": _numbered(lambda rest: tuple(parameters(rest))),
    "rtpmap": _numbered(_encoding),
    "ssrc": ssrc,
}


def meaning(line: str) -> Any:
    """Equal for lines that say the same; None for a line that says nothing."""
    name = name_of_line(line)
    value = value_of_line(line) if line[:2] == "a=" else line[2:]
    try:
        return name, _MEANING.get(name, _words)(value)
    except SdpError:
        return None


def homeless(line: str, content: Content, written: MediaDescription) -> bool:
    """May this literal line stand in the section of `content` beside what the standard elements gave (`written`)?

    True for what the default mapping would never write for any of them; so nothing stale and nothing contrary comes back.
    """
    if line[:2] != "a=":
        return line[:2] not in ("m=", "c=", "k=")
    name, value = name_of_line(line), value_of_line(line)
    if name in DIRECTIONS:
        return written.direction is None  # a data channel has none (XEP-0343); Firefox writes one
    if name in STANDARD_ONLY:
        return False
    judge = _HOMELESS.get(name)
    if judge is not None:
        return judge(value, content, written)
    return line not in written.lines


def _of_unknown_payload(value: str, content: Content, written: MediaDescription) -> bool:
    id = value.partition(" ")[0]
    return id != "*" and id not in written.formats


def _candidate(value: str, content: Content, written: MediaDescription) -> bool:
    try:
        return candidate_from_line(candidate(value), "") is None
    except SdpError:
        return False


def _extmap_line(value: str, content: Content, written: MediaDescription) -> bool:
    try:
        return not usable(extmap(value).id)
    except SdpError:
        return False


def _ssrc(value: str, content: Content, written: MediaDescription) -> bool:
    """A source of somebody who does not send (J-205), or a deprecated attribute of one who does (J-199)."""
    try:
        number, name, _ = ssrc(value)
    except SdpError:
        return False
    known = content.description is not None and any(source.ssrc == number for source in content.description.sources)
    return known if name in DROPPED else not known and not _sends(written)


def _ssrc_group(value: str, content: Content, written: MediaDescription) -> bool:
    return not _sends(written) and f"a=ssrc-group:{value}" not in written.lines


def _sends(written: MediaDescription) -> bool:
    return written.effective_direction in (Direction.SENDRECV, Direction.SENDONLY)


def _msid(value: str, content: Content, written: MediaDescription) -> bool:
    """Without sources there is nothing to carry a=msid (J-202); with them it must be theirs."""
    sources = () if content.description is None else content.description.sources
    return all(source.get("msid") in (None, value) for source in sources)


_HOMELESS: dict[str, Callable[[str, Content, MediaDescription], bool]] = {
    "candidate": _candidate,
    "extmap": _extmap_line,
    "fmtp": _of_unknown_payload,
    "msid": _msid,
    "rtcp-fb": _of_unknown_payload,
    "rtpmap": _of_unknown_payload,
    "ssrc": _ssrc,
    "ssrc-group": _ssrc_group,
}
