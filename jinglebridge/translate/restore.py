"""`extensions=True`, the way back: the private elements put in what the standard elements could not say.

They come from a peer, so nothing here is believed against a standard element: a spelling counts only if it says the same as a line that
is there, a literal line only if the default mapping has no home for it, a whole section only where no content is. The result is parsed
again, with all limits of an SDP. See `jinglebridge.translate.extensions` for the words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from jinglebridge.jingle import Content
from jinglebridge.jingle.private import Grouped, Lift, Line, SdpExtras, Section, read
from jinglebridge.jingle.roles import Senders
from jinglebridge.jingle.xep_0167 import MEDIA, STATIC
from jinglebridge.jingle.xep_0176 import candidate_to_line
from jinglebridge.sdp import MediaDescription, SessionDescription, parse
from jinglebridge.translate.described import Described
from jinglebridge.translate.homes import DIRECTIONS, LIFTABLE, NEVER, STANDARD_ONLY, Given, homeless, meaning, name_of_line
from jinglebridge.translate.tails import with_tail

# Order of the types of lines in a session and in a section. RFC 8866 §5
_SESSION_ORDER = "vosiuepcbtrzka"
_MEDIA_ORDER = "micbka"
_SESSION_LITERALS = "iuepbtrza"
# What a section that is no media does not obey.
_OF_MEDIA = ("extmap", "extmap-allow-mixed")

Mids = dict[str, str]  # content name to mid


def restore(sdp: SessionDescription, described: Described, contents: dict[str, Content], fixed: int = 0) -> SessionDescription:
    """The SDP as it was, as far as its default form `sdp` does not contradict.

    Args:
        sdp: what the standard elements of `described` gave.
        contents: those that became sections, by mid; of two with one name not both did (J-104).
        fixed: so many sections the endpoint has already; nothing is put in between them.

    Raises: SdpError if the result would pass a limit.
    """
    mids = {content.name: mid for mid, content in reversed(contents.items())}
    session = read(described.unknown)
    outside = {section.at: section for section in session.sections if _may_stand(section)}
    head = list(sdp.lines)
    sections = [_section(media, contents.get(media.mid or ""), sdp) for media in sdp.media]
    # One for each attribute, the directions counting as one: two would both stand above every section.
    lifts = {_kind(lift.attribute): lift for lift in reversed(session.lifts) if lift.attribute in LIFTABLE}
    for lift in lifts.values():
        _lift(lift, head, sections, sdp, mids)
    _groups(session.groups, head, mids, {mid for section in outside.values() if (mid := _mid(section.lines)) is not None})
    _literal(session.lines, head, sections, sdp)
    _insert(outside, sections, sdp, contents, fixed)
    lines = [*head, *(line for section in sections for line in section)]
    return parse("\r\n".join(lines) + "\r\n")


def _mid(lines: Iterable[Line]) -> str | None:
    return next((line.text[6:] for line in lines if line.text.startswith("a=mid:")), None)


def _may_stand(section: Section) -> bool:
    """A whole section is taken from a peer only if no media can flow by it."""
    if not section.lines or any(line.text[0] == "m" for line in section.lines[1:]):
        return False
    fields = section.lines[0].text[2:].lower().split()
    if section.lines[0].text[0] != "m" or len(fields) < 4:
        return False
    names = {name_of_line(line.text) for line in section.lines}
    if not NEVER.isdisjoint(names) or "k=" in names:
        return False
    # Some browsers do not mind the case of letters, nor what a protocol is made of; so neither does this.
    flows = fields[0] in ("audio", "video", "application") or "rtp" in fields[2] or "dtls" in fields[2]
    return not flows or (fields[1] == "0" and "bundle-only" not in names)


def _kind(attribute: str) -> str:
    return "direction" if attribute in DIRECTIONS else attribute


def _section(media: MediaDescription, content: Content | None, sdp: SessionDescription) -> list[str]:
    """The lines of one section with what its content carries beside the standard elements."""
    lines = list(media.lines)
    if content is None:
        return lines
    extras, given, formats = read(content.unknown), Given(content, media), list(media.formats)
    without = {item.attribute for item in extras.without}
    _without(extras, lines, given)
    _spell([line.text for line in extras.spellings], lines)
    _tails(extras, lines, content, media.get("ice-ufrag"))
    for item in extras.formats:
        if item.id not in formats:
            formats.insert(item.at, item.id)
    bundled = _bundled(media, sdp)
    literal = []
    for line in extras.lines:
        text = line.text
        if homeless(text, given) and (name_of_line(text) != "bundle-only" or (bundled and text == "a=bundle-only")):
            literal += _of_formats(text, formats)
    if given.msid is None and any(text.startswith("a=msid:") for text in literal):
        lines = [line for line in lines if not line.startswith("a=msid:")]  # the one that the default output invents
    lines = _with(literal, lines, _MEDIA_ORDER)
    if "ssrc-msid" in without:
        told = {f"msid:{line[7:]}" for line in lines if line.startswith("a=msid:")}
        lines = [line for line in lines if not (line.startswith("a=ssrc:") and line.partition(" ")[2] in told)]
    lines[0] = _m_line(extras, media, formats, "a=bundle-only" in lines)
    return lines


def _bundled(media: MediaDescription, sdp: SessionDescription) -> bool:
    """In a BUNDLE group and not its first: only such a section may have no address of its own (RFC 9143 §6)."""
    return any(media.mid in value.split()[2:] for value in sdp.all("group") if value.startswith("BUNDLE "))


_RID_FORMATS = re.compile(r"(?<=[ ;])pt=([^; ]*)").search


def _of_formats(line: str, formats: Sequence[str]) -> list[str]:
    """The line; an a=rid without the formats that the section no longer has, and none if it had only these. RFC 8851 §5"""
    found = _RID_FORMATS(line) if name_of_line(line) == "rid" else None
    if found is None:
        return [line]
    kept = [id for id in found[1].split(",") if id in formats]
    return [f"{line[: found.start(1)]}{','.join(kept)}{line[found.end(1) :]}"] if kept else []


def _m_line(extras: SdpExtras, media: MediaDescription, formats: Sequence[str], bundle_only: bool) -> str:
    proto = media.proto if extras.proto is None or "RTP" not in extras.proto or "RTP" not in media.proto else extras.proto
    return f"m={media.kind} {0 if bundle_only else media.port} {proto} {' '.join(formats)}"


def _with(new: Sequence[str], lines: list[str], order: str) -> list[str]:
    """With more lines, each behind the last one of its type or of a type before."""
    if not new:
        return lines
    return [lines[0], *sorted([*lines[1:], *new], key=lambda line: order.find(line[0]))]


_INVENTED = {"ice-options": "a=ice-options:trickle", "direction": "a=sendrecv", "mid": "a=mid:{}"}


def _without(extras: SdpExtras, lines: list[str], given: Given) -> None:
    """Take out the lines that nothing standard asked for, and that are said not to have been there."""
    names = {item.attribute for item in extras.without}
    gone = {_INVENTED[name].format(given.media.index) for name in names if name in _INVENTED}
    gone |= {f"a=rtpmap:{item.id} {STATIC[item.id][0]}/{STATIC[item.id][1]}" for item in extras.without if item.id in STATIC}
    if "msid" in names and given.msid is None:
        gone |= {f"a=msid:{value}" for value in given.media.all("msid")}
    if "ssrc-cname" in names:
        gone |= {f"a=ssrc:{value}" for value in given.media.all("ssrc") if not given.described(value)}
    lines[:] = [line for line in lines if line not in gone]


def _spell(spellings: list[str], lines: list[str]) -> None:
    places = {meaning(line): at for at, line in enumerate(lines) if line[0] not in "mc"} if spellings else {}
    for line in spellings:
        said = meaning(line)
        # The name in other letters says nothing to a browser that tells them apart.
        if said is not None and said in places and line.partition(":")[0] == lines[places[said]].partition(":")[0]:
            lines[places.pop(said)] = line


def _tails(extras: SdpExtras, lines: list[str], content: Content, ufrag: str | None) -> None:
    assert content.transport is not None
    tails = {tail.id: tail for tail in extras.candidates}
    places: dict[str, list[int]] = {}
    for at in reversed(range(len(lines))):
        if lines[at].startswith("a=candidate:"):
            places.setdefault(lines[at], []).append(at)
    for item in content.transport.candidates:
        found = places.get(f"a={candidate_to_line(item)}")
        if found:
            at = found.pop()
            if item.id in tails:
                lines[at] = f"a={with_tail(item, tails[item.id], ufrag)}"


def _lift(lift: Lift, head: list[str], sections: list[list[str]], sdp: SessionDescription, mids: Mids) -> None:
    """Move an attribute up if all the sections that had it from there still agree, and no other would have it from there."""
    wanted = [mids[name] for name in lift.names.split() if name in mids]
    places = [at for at, media in enumerate(sdp.media) if media.mid in wanted and not media.rejected]
    found = [_lines_of(lift.attribute, sections[at]) for at in places]
    if not found or not found[0] or any(lines != found[0] for lines in found):
        return
    if any(lacks for at, lacks in _obeying(lift.attribute, sections, sdp) if at not in places):
        return
    for at, lines in zip(places, found, strict=True):
        gone = set(lines)
        sections[at] = [line for line in sections[at] if line not in gone]
    head[:] = _with(found[0], head, _SESSION_ORDER)


def _lines_of(attribute: str, section: list[str]) -> list[str]:
    start = f"a={attribute}"
    return [line for line in section if line.startswith(start) and name_of_line(line) == attribute]


def _obeying(attribute: str, sections: list[list[str]], sdp: SessionDescription) -> list[tuple[int, bool]]:
    """The sections that can have the attribute from the session part, and whether they lack one of their own."""
    names = DIRECTIONS if attribute in DIRECTIONS else (attribute,)
    return [
        (media.index, not any(_lines_of(name, section) for name in names))
        for media, section in zip(sdp.media, sections, strict=True)
        if not media.rejected and (media.kind in MEDIA or attribute not in _OF_MEDIA)
    ]


def _groups(groups: Iterable[Grouped], head: list[str], mids: Mids, outside: set[str]) -> None:
    """Give groups back the members that are no contents. A member that the standard group lost stays lost."""
    for group in groups:
        at = next((i for i, line in enumerate(head) if line.startswith(f"a=group:{group.semantics} ")), None)
        there = [] if at is None else head[at].split()[1:]
        names = list(dict.fromkeys(mids.get(name, name) for name in group.names.split()))
        if at is not None:
            head[at] = " ".join((f"a=group:{group.semantics}", *_members(names, there, outside)))
        elif outside.issuperset(names):
            head[:] = _with([" ".join((f"a=group:{group.semantics}", *names))], head, _SESSION_ORDER)


def _members(names: list[str], there: list[str], outside: set[str]) -> list[str]:
    """The standard members in their own order, the first of which is first (it is whose transport all share), the others between."""
    standard = [mid for mid in names if mid in there][1:]
    found, left = there[:1], there[1:]
    for mid in names:
        if mid in there:
            count = mid in standard and len(left) > 0
            found += left[:count]
            left = left[count:]
        elif mid in outside:
            found.append(mid)
    return found + left


def _literal(lines: Iterable[Line], head: list[str], sections: list[list[str]], sdp: SessionDescription) -> None:
    """Session lines: those that no section would obey instead of its own, and that no section has stopped saying."""
    there, found = set(head), []
    obeying: dict[str, list[bool]] = {}
    said: dict[str, set[Any]] = {}
    for line in lines:
        text, name = line.text, name_of_line(line.text)
        if text[0] not in _SESSION_LITERALS or name in NEVER or name in ("group", "mid", "candidate") or text in there:
            continue
        if name in STANDARD_ONLY or name in LIFTABLE:
            if name not in obeying:
                obeying[name] = [lacks for _, lacks in _obeying(name, sections, sdp)]
                said[name] = {meaning(own) for section in sections for own in _lines_of(name, section)}
            stale = name in LIFTABLE and name not in DIRECTIONS and obeying[name] and meaning(text) not in said[name]
            if stale or any(obeying[name]):
                continue
        found.append(text)
    head[:] = _with(found, head, _SESSION_ORDER)


def _insert(
    outside: dict[int, Section], sections: list[list[str]], sdp: SessionDescription, contents: dict[str, Content], fixed: int
) -> None:
    """Whole sections in their places; never instead of one by which media may flow."""
    by_mid = {media.mid: at for at, media in enumerate(sdp.media)}
    for at, section in sorted(outside.items()):
        lines = [line.text for line in section.lines]
        mid = _mid(section.lines)
        if mid is None or mid not in by_mid:
            if at >= fixed:
                place = min(at, len(sections))
                sections.insert(place, lines)
                by_mid = {m: i + (i >= place) for m, i in by_mid.items()} | {mid: place}
            continue
        content = contents.get(mid)
        if content is None or content.senders is Senders.NONE:
            sections[by_mid[mid]] = lines
