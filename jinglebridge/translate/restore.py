"""`extensions=True`, the way back: the private elements put in what the standard elements could not say.

They come from a peer, so nothing here is believed against a standard element: a spelling counts only if it says the same as a line that
is there, a literal line only if the default mapping has no home for it, a whole section only where no content is. The result is parsed
again, with all limits of an SDP. See `jinglebridge.translate.extensions` for the words.
"""

from __future__ import annotations

from collections.abc import Iterable

from jinglebridge.jingle import Content
from jinglebridge.jingle.private import Grouped, Lift, Line, SdpExtras, Section, Without, read
from jinglebridge.jingle.roles import Senders
from jinglebridge.jingle.xep_0167 import STATIC
from jinglebridge.jingle.xep_0176 import candidate_to_line
from jinglebridge.sdp import MediaDescription, SessionDescription, parse
from jinglebridge.translate.described import Described, translatable
from jinglebridge.translate.homes import DIRECTIONS, LIFTABLE, NEVER, STANDARD_ONLY, homeless, meaning, name_of_line
from jinglebridge.translate.tails import with_tail

# Order of the types of lines in a session and in a section. RFC 8866 §5
_SESSION_ORDER = "vosiuepcbtrzka"
_MEDIA_ORDER = "micbka"

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
    for lift in session.lifts:
        _lift(lift, head, sections, sdp, mids)
    _groups(session.groups, head, mids, {mid for section in outside.values() if (mid := _mid(section.lines)) is not None})
    _literal(session.lines, head, sections)
    _insert(outside, sections, sdp, contents, fixed)
    lines = [*head, *(line for section in sections for line in section)]
    return parse("\r\n".join(lines) + "\r\n")


def _mid(lines: Iterable[Line]) -> str | None:
    return next((line.text[6:] for line in lines if line.text.startswith("a=mid:")), None)


def _may_stand(section: Section) -> bool:
    """A whole section is taken from a peer only if no media can flow by it."""
    if not section.lines or any(line.text[0] == "m" for line in section.lines[1:]):
        return False
    fields = section.lines[0].text[2:].split()
    if section.lines[0].text[0] != "m" or len(fields) < 4:
        return False
    if any(name_of_line(line.text) in NEVER or line.text[0] == "k" for line in section.lines):
        return False
    bundle_only = any(line.text == "a=bundle-only" for line in section.lines)
    return (fields[1] == "0" and not bundle_only) or not _ours(fields)


def _ours(fields: list[str]) -> bool:
    return translatable(MediaDescription(SessionDescription(), fields[0], 9, fields[2], tuple(fields[3:])))


def _section(media: MediaDescription, content: Content | None, sdp: SessionDescription) -> list[str]:
    """The lines of one section with what its content carries beside the standard elements."""
    lines = list(media.lines)
    if content is None:
        return lines
    extras = read(content.unknown)
    _without(extras, lines, media, content)
    _spell([line.text for line in extras.spellings], lines)
    _tails(extras, lines, content)
    for line in extras.lines:
        if homeless(line.text, content, media) and (line.text != "a=bundle-only" or _bundled(media, sdp)):
            _place(line.text, lines, _MEDIA_ORDER)
    lines[0] = _m_line(extras, media, "a=bundle-only" in lines)
    return lines


def _bundled(media: MediaDescription, sdp: SessionDescription) -> bool:
    """In a BUNDLE group and not its first: only such a section may have no address of its own (RFC 9143 §6)."""
    return any(media.mid in value.split()[2:] for value in sdp.all("group") if value.startswith("BUNDLE "))


def _m_line(extras: SdpExtras, media: MediaDescription, bundle_only: bool) -> str:
    formats = list(media.formats)
    for item in extras.formats:
        if item.id not in formats:
            formats.insert(item.at, item.id)
    proto = media.proto if extras.proto is None or "RTP" not in extras.proto or "RTP" not in media.proto else extras.proto
    return f"m={media.kind} {0 if bundle_only else media.port} {proto} {' '.join(formats)}"


def _place(line: str, lines: list[str], order: str) -> None:
    """Put a line behind the last one of its type or of a type before."""
    rank = order.find(line[0])
    at = len(lines)
    while at > 1 and order.find(lines[at - 1][0]) > rank:
        at -= 1
    lines.insert(at, line)


def _without(extras: SdpExtras, lines: list[str], media: MediaDescription, content: Content) -> None:
    for item in extras.without:
        lines[:] = [line for line in lines if not _invented(line, item, media, content)]


def _invented(line: str, item: Without, media: MediaDescription, content: Content) -> bool:
    """Is this a line that nothing standard asked for, and that `item` says was not there?"""
    msids = () if content.description is None else tuple(m for source in content.description.sources if (m := source.get("msid")))
    match item.attribute:
        case "ice-options":
            return line == "a=ice-options:trickle"
        case "direction":
            return line == "a=sendrecv"
        case "mid":
            return line == f"a=mid:{media.index}"
        case "msid":
            return not msids and line.startswith("a=msid:")
        case "ssrc-msid":
            return line.startswith("a=ssrc:") and line.partition(" ")[2].removeprefix("msid:") in msids
        case _:
            static = None if item.id is None else STATIC.get(item.id)
            return static is not None and line == f"a=rtpmap:{item.id} {static[0]}/{static[1]}"


def _spell(spellings: list[str], lines: list[str]) -> None:
    places = {meaning(line): at for at, line in enumerate(lines) if line[0] not in "mc"}
    for line in spellings:
        said = meaning(line)
        if said is not None and said in places:
            lines[places.pop(said)] = line


def _tails(extras: SdpExtras, lines: list[str], content: Content) -> None:
    assert content.transport is not None
    tails = {tail.id: tail for tail in extras.candidates}
    for item in content.transport.candidates:
        default = f"a={candidate_to_line(item)}"
        if item.id in tails and default in lines:
            lines[lines.index(default)] = f"a={with_tail(item, tails[item.id])}"


def _lift(lift: Lift, head: list[str], sections: list[list[str]], sdp: SessionDescription, mids: Mids) -> None:
    """Move an attribute up if all the sections that had it from there still agree."""
    wanted = [mids[name] for name in lift.names.split() if name in mids]
    places = [at for at, media in enumerate(sdp.media) if media.mid in wanted and not media.rejected]
    found = [[line for line in sections[at] if name_of_line(line) == lift.attribute] for at in places]
    if lift.attribute not in LIFTABLE or not found or not found[0] or any(lines != found[0] for lines in found):
        return
    for at in places:
        sections[at][:] = [line for line in sections[at] if name_of_line(line) != lift.attribute]
    for line in found[0]:
        _place(line, head, _SESSION_ORDER)


def _groups(groups: Iterable[Grouped], head: list[str], mids: Mids, outside: set[str]) -> None:
    """Give groups back the members that are no contents. A member that the standard group lost stays lost."""
    for group in groups:
        at = next((i for i, line in enumerate(head) if line.startswith(f"a=group:{group.semantics} ")), None)
        there = [] if at is None else head[at].split()[1:]
        names = [mids.get(name, name) for name in group.names.split()]
        members = [mid for mid in names if mid in there or mid in outside]
        members += [mid for mid in there if mid not in members]
        line = " ".join((f"a=group:{group.semantics}", *members))
        if at is not None:
            head[at] = line
        elif members == names:
            _place(line, head, _SESSION_ORDER)


def _literal(lines: Iterable[Line], head: list[str], sections: list[list[str]]) -> None:
    """Session lines: those that no section would obey instead of its own."""
    for line in lines:
        text, name = line.text, name_of_line(line.text)
        if text[0] in "voscmk" or name in NEVER or name in ("group", "mid", "candidate") or text in head:
            continue
        own = DIRECTIONS if name in DIRECTIONS else {name}
        if name in STANDARD_ONLY and not all(any(name_of_line(li) in own for li in section) for section in sections):
            continue
        _place(text, head, _SESSION_ORDER)


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
