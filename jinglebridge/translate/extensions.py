"""`extensions=True`, the way there: what an SDP says that the standard elements do not.

It is found by comparison. The standard elements alone give one certain SDP (the default output); what the original has beyond that is
carried in ``urn:jinglebridge:sdp:0``. So nothing can be carried twice, removing the private elements gives the default output, and what
a standard element says can only be said there. The way back is `jinglebridge.translate.restore`.

===========  ==================================================================================
line         a line as it is, because nothing in Jingle stands for it: a=rid, a=msid-semantic
as           another spelling of a line that a standard element gives: a=rtpmap:9 G722/8000/1
without      a line that the default output always has, and the original has not
lift         an attribute stood once at session level instead of in each section
group        members of an a=group line that are no contents
section      a whole section that is no content: rejected, or neither media nor data channel
format       a payload type in the m= line that has no meaning
candidate    words behind the type of a candidate that <candidate/> has no attribute for
===========  ==================================================================================

Never carried: media keys (a=crypto), k=, the o=, s= and c= lines, the port of m=; and what a standard element says otherwise: the second of
two lines of which Jingle has one. The list is in docs/reference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from jinglebridge.errors import SdpError
from jinglebridge.jingle import Content
from jinglebridge.jingle.private import CandidateTail, Format, Grouped, Lift, Line, SdpExtras, Section, Without, written
from jinglebridge.jingle.xep_0167 import STATIC
from jinglebridge.jingle.xep_0176 import candidate_from_line
from jinglebridge.sdp import MediaDescription, SessionDescription
from jinglebridge.sdp import Section as SdpSection
from jinglebridge.sdp.attributes import candidate
from jinglebridge.translate.described import Described, mids, name_of
from jinglebridge.translate.homes import DIRECTIONS, LIFTABLE, NEVER, Given, homeless, meaning, name_of_line
from jinglebridge.translate.tails import tail_of
from jinglebridge.values import replace

# Types of lines that are placeholders in every SDP for an endpoint, or hold keys.
_PLACEHOLDERS = frozenset("vosckm")

Pair = tuple[MediaDescription, Content | None]
Lifts = dict[str, list[str]]  # attributes that stood at session level, and the contents that have them from there


class _Twins(NamedTuple):
    """A section, the content that was made of it, and the section that the content alone gives."""

    media: MediaDescription
    content: Content
    twin: MediaDescription


def carry(sdp: SessionDescription, pairs: Sequence[Pair], described: Described, default: SessionDescription) -> Described:
    """`described` with the private elements among the `unknown` of it and of its contents.

    Args:
        sdp: the original.
        pairs: each of its sections, and the content that was made of it or None.
        default: what the standard elements alone give.
    """
    made = [(media, content) for media, content in pairs if content is not None]
    by_mid = {media.mid: media for media in default.media}
    twins = []
    for (media, content), mid in zip(made, mids(content for _, content in made), strict=True):
        twin = by_mid.get(mid)
        if twin is not None and not media.rejected:
            twins.append(_Twins(media, content, twin))
    lifts = _lifts(sdp, twins)
    found = {item.media.index: written(_section(*item, lifts)) for item in twins}
    contents = tuple(replace(content, unknown=(*content.unknown, *found.get(media.index, ()))) for media, content in made)
    outside = tuple(
        Section(media.index, tuple(Line(line) for line in media.lines if name_of_line(line) not in NEVER and line[0] != "k"))
        for media, content in pairs
        if content is None or media.rejected
    )
    extras = SdpExtras(
        lines=tuple(map(Line, _session_lines(sdp, default, lifts))),
        lifts=tuple(Lift(name, " ".join(inheriting)) for name, inheriting in sorted(lifts.items())),
        groups=_groups(sdp, default, {name_of(media): content.name for media, content in made}),
        sections=outside,
    )
    return described._replace(contents=contents, unknown=written(extras))


def _lifts(sdp: SessionDescription, twins: list[_Twins]) -> Lifts:
    found = {}
    for name in LIFTABLE.intersection(sdp.attributes):
        values = [meaning(f"a={name}:{value}") for value in sdp.all(name)]
        inheriting = [
            content.name
            for media, content, twin in twins
            if not _has(media, name) and values == [meaning(f"a={name}:{value}") for value in twin.all(name)]
        ]
        if inheriting:
            found[name] = inheriting
    return found


def _has(section: SdpSection, name: str) -> bool:
    return not DIRECTIONS.isdisjoint(section.attributes) if name in DIRECTIONS else name in section


def _session_lines(sdp: SessionDescription, default: SessionDescription, lifts: Lifts) -> list[str]:
    left = Counter(default.lines)
    found = []
    for line in sdp.lines:
        name = name_of_line(line)
        if line[0] in _PLACEHOLDERS or name in NEVER or name == "group" or name in lifts:
            continue
        if left[line]:
            left[line] -= 1
        else:
            found.append(line)
    return found


def _groups(sdp: SessionDescription, default: SessionDescription, names: dict[str, str]) -> tuple[Grouped, ...]:
    """The groups whose lines the default output does not have, by content names where there is a content."""
    found = []
    known = frozenset(default.all("group"))
    for value in sdp.all("group"):
        fields = value.split()
        if fields and value not in known:
            found.append(Grouped(fields[0], " ".join(names.get(mid, mid) for mid in fields[1:])))
    return tuple(found)


def _section(media: MediaDescription, content: Content, twin: MediaDescription, lifts: Lifts) -> SdpExtras:
    """What the section says beyond `twin`, which the content alone gives."""
    given, left = Given(content, twin), Counter(twin.lines)
    inherited = [line for line in media.session.lines if content.name in lifts.get(name_of_line(line), ())]
    rest = []
    for line in (*media.lines[1:], *inherited):
        if left[line]:
            left[line] -= 1
        elif line[0] not in _PLACEHOLDERS and name_of_line(line) not in NEVER:
            rest.append(line)
    by_meaning = {meaning(line): line for line in left.elements()}
    spellings, literal = [], []
    for line in rest:
        if name_of_line(line) != "candidate" and by_meaning.pop(meaning(line), None) is not None:
            spellings.append(line)
        elif homeless(line, given):
            literal.append(line)
    return SdpExtras(
        None if media.proto == twin.proto else media.proto,
        tuple(map(Line, literal)),
        tuple(map(Line, spellings)),
        _without(media, content, given, lifts),
        formats=tuple(Format(id, at) for at, id in enumerate(media.formats) if id not in given.formats),
        candidates=_tails(media, content, twin.get("ice-ufrag")),
    )


def _tails(media: MediaDescription, content: Content, ufrag: str | None) -> tuple[CandidateTail, ...]:
    """The tails of the candidates, in the order in which the transport has them."""
    assert content.transport is not None
    found = []
    waiting = list(content.transport.candidates)
    for value in media.all("candidate"):
        try:
            same = candidate_from_line(candidate(value), waiting[0].id if waiting else "")
        except SdpError:
            continue
        if same is not None and waiting and same == waiting[0]:
            tail = tail_of(value, waiting.pop(0), ufrag)
            if tail is not None:
                found.append(tail)
    return tuple(found)


def _without(media: MediaDescription, content: Content, given: Given, lifts: Lifts) -> tuple[Without, ...]:
    """Lines of the default output that no standard element asked for, and that the original lacks."""
    twin = given.media
    found = [Without(name) for name in ("ice-options", "mid") if name in twin and name not in media]
    found = [item for item in found if content.name not in lifts.get(item.attribute, ())]
    if given.msid is None and "msid" in twin and "msid" not in media:
        found.append(Without("msid"))
    if not _has(media, "sendrecv") and all(content.name not in lifts.get(name, ()) for name in DIRECTIONS):
        found.append(Without("direction"))
    if any(" msid:" in value for value in twin.all("ssrc")) and all(" msid:" not in value for value in media.all("ssrc")):
        found.append(Without("ssrc-msid"))
    numbers = {value.partition(" ")[0] for value in media.all("ssrc")}
    if any(value.partition(" ")[0] not in numbers for value in twin.all("ssrc")):
        found.append(Without("ssrc-cname"))
    mapped = {value.partition(" ")[0] for value in media.all("rtpmap")}
    found += [Without("rtpmap", int(id)) for id in twin.formats if id not in mapped and id.isdigit() and int(id) in STATIC]
    return tuple(found)
