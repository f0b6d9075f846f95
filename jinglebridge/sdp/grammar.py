"""Text to model. One pass, linear in the length, everything that is wrong is an SdpError with its line number.

Lenient where browsers differ (LF alone, order of lines, unknown attributes), strict where a value would reach the other
side or where a limit is passed. Spec: RFC 8866 §9; J-105, J-244, J-259.
"""

from __future__ import annotations

import re
from collections import Counter

from jinglebridge.errors import SdpError
from jinglebridge.kept import Kept
from jinglebridge.printable import printable
from jinglebridge.sdp.model import CodecLines, MediaDescription, Section, SessionDescription

MAX_BYTES = 64 * 1024
MAX_LINE = 8 * 1024  # characters
MAX_LINES = 2000
MAX_MEDIA = 16
MAX_CANDIDATES = 100  # of one section
MAX_PAYLOAD_TYPES = 64  # of one section
MAX_SSRCS = 64  # of one section, different ones
# As in the element tables: what has more of them could be written as XML and not be read again.
MAX_PARAMETERS = 100  # of one a=fmtp
MAX_FINGERPRINTS = 8  # of one section
MAX_OF_ONE = 64  # groups, extmaps, ssrc-groups of one section; a=rtcp-fb of one payload type, a=ssrc of one source; words of one line

# What neither an SDP line nor an XML document may hold.
# The second half: what some readers of lines (str.splitlines) take for a line end.
ILLEGAL = re.compile("[^\t\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x7f-\x9f\u2028\u2029]")
_TYPES = frozenset("abcdefghijklmnopqrstuvwxyz")


def parse(text: str) -> SessionDescription:
    """The description in `text` (CRLF or LF). Raises SdpError; nothing else on any string."""
    if len(text) > MAX_BYTES or (not text.isascii() and len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES):
        raise SdpError(f"more than {MAX_BYTES} bytes", rule="J-244")
    if text.count("\n") - text.endswith("\n") >= MAX_LINES:
        raise SdpError(f"more than {MAX_LINES} lines", rule="J-244")
    end = "\r\n" if "\r\n" in text else "\n"
    first, *pieces = text.removesuffix(end).split(f"{end}a=rtpmap:")
    known = list(map(_CODECS.get, pieces))
    lines = end.join([first, *[f"a=rtpmap:{piece}" for piece, codec in zip(pieces, known, strict=True) if codec is None]]).split(end)
    longest = max(map(len, lines))
    if longest > MAX_LINE or not printable("".join(lines)):
        text = text.replace(end, "\n")
        _checked(text.split("\n"))
        if end == "\r\n":  # some lines have it and others not
            return parse(text)
    reading = _Reading(end)
    reading.take(first.split(end))
    for piece, codec in zip(pieces, known, strict=True):
        if codec is None:
            reading.piece(piece)
        else:
            reading.codec(codec)
    session = reading.session
    if not session.lines or session.lines[0] != "v=0":
        raise SdpError("does not begin with v=0", line=1, rule="J-259")
    for each in (session.part, *session.media):
        _limits(each, longest)
    _mids(session)
    return session


# What is said of a codec is the same in every call, so it is read as one, by the text behind its first "a=rtpmap:".
_CODECS: Kept[str, CodecLines] = Kept()


def _checked(lines: list[str]) -> None:
    """Raises SdpError for a line that no SDP may have."""
    if max(map(len, lines)) > MAX_LINE:
        raise SdpError(f"a line of more than {MAX_LINE} characters", rule="J-244")
    for number, line in enumerate(lines, 1):
        if ILLEGAL.search(line):
            raise SdpError("control character", line=number, rule="J-151")


class _Reading:
    """A description of which some lines are read."""

    def __init__(self, end: str) -> None:
        self.end = end
        self.session = SessionDescription()
        self.section: Section = self.session.part
        self.number = 0  # lines so far

    def take(self, lines: list[str]) -> None:
        """Lines of any kind, one by one."""
        section = self.section
        found, begin = section.attributes, 0
        last: str | None = None  # the lines of one attribute mostly stand together
        for at, line in enumerate(lines):
            head, _, value = line.partition(":")
            if head != last:
                name = _NAMES.get(head)
                if name is None and head[:2] == "a=":
                    name = _name(head, self.number + at + 1)
                if name is None:
                    following = _other(self.session, section, line, self.number + at + 1)
                    if following is not section:
                        section.lines += lines[begin:at]
                        section, found, begin = following, following.attributes, at
                        last = None
                    continue
                if name in _OF_CODECS:
                    section.codecs = None
                last, append = head, found.setdefault(name, []).append
            append(value)
        section.lines += lines[begin:]
        self.section = section
        self.number += len(lines)

    def piece(self, piece: str) -> None:
        """The text from one a=rtpmap to the next: the lines of a codec, and what follows them."""
        lines = f"a=rtpmap:{piece}".split(self.end)
        id = piece.partition(self.end)[0].partition(" ")[0]
        own = (f"a=rtcp-fb:{id} ", f"a=fmtp:{id} ")
        count = 1
        while count < len(lines) and lines[count].startswith(own):
            count += 1
        text = piece if count == len(lines) else self.end.join(lines[:count]).removeprefix("a=rtpmap:")
        codec = _CODECS.get(text) or _codec(id, text, tuple(lines[:count]))
        if codec is None:
            self.take(lines)
            return
        self.codec(codec)
        if count < len(lines):
            self.take(lines[count:])

    def codec(self, codec: CodecLines) -> None:
        """The lines of one codec."""
        section = self.section
        section.lines += codec.lines
        found = section.attributes
        for name, values in codec.values:
            if name in found:
                found[name] += values
            else:
                found[name] = [*values]
        if section.codecs is not None:
            if codec.id in section.codecs:
                section.codecs = None
            else:
                section.codecs[codec.id] = codec
        self.number += len(codec.lines)


def _codec(id: str, text: str, lines: tuple[str, ...]) -> CodecLines | None:
    """The lines of one codec; None if they cannot be looked at as one."""
    if not id.isdigit():
        return None
    found: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line[2:].partition(":")
        if len(value) > MAX_OF_ONE and _crowded(name, value):
            return None
        found.setdefault(name, []).append(value)
    values = tuple((name, tuple(values)) for name, values in found.items())
    return _CODECS.keep(text, CodecLines(id, text, lines, values), len(text))


# The attributes of browsers; any other is fine too, and found a little later.
_NAMES = {
    f"a={name}": name
    for name in (
        "candidate extmap fmtp fingerprint ice-options ice-pwd ice-ufrag mid msid rtcp rtcp-fb rtcp-mux rtcp-rsize rtpmap "
        "sctp-port sendrecv setup ssrc ssrc-group"
    ).split()
}
_OF_CODECS = frozenset({"fmtp", "rtcp-fb", "rtpmap"})


def _name(head: str, number: int) -> str:
    """The attribute's name in a line up to its colon."""
    name = head[2:]
    if not name or " " in name:
        raise SdpError("not an attribute", line=number, rule="J-259")
    return name


def _other(session: SessionDescription, section: Section, line: str, number: int) -> Section:
    """The section that a line which is no attribute belongs to: m= begins one."""
    if len(line) < 2 or line[1] != "=" or line[0] not in _TYPES:
        raise SdpError("not a line of SDP", line=number, rule="J-259")
    if line[0] == "m":
        return _media(session, line, number)
    return section


def _media(session: SessionDescription, line: str, number: int) -> MediaDescription:
    """RFC 8866 §5.14: m=<media> <port>[/<number>] <proto> <fmt> ..."""
    fields = line[2:].split()
    if len(session.media) == MAX_MEDIA:
        raise SdpError(f"more than {MAX_MEDIA} m= sections", line=number, rule="J-244")
    if len(fields) < 4:
        raise SdpError("m= needs media, port, protocol and formats", line=number, rule="J-259")
    port = fields[1].partition("/")[0]
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        raise SdpError("m= has a port that is none", line=number, rule="J-259")
    if len(fields) - 3 > MAX_PAYLOAD_TYPES:
        raise SdpError(f"more than {MAX_PAYLOAD_TYPES} payload types", line=number, rule="J-244")
    media = MediaDescription(session, fields[0], int(port), fields[2], tuple(fields[3:]))
    media.codecs = {}
    session.media.append(media)
    return media


# Attributes of which a section has at most so many; with so many different first words; with so many of one first word.
_LINES = {
    "candidate": MAX_CANDIDATES,
    "fingerprint": MAX_FINGERPRINTS,
    "group": MAX_OF_ONE,
    "extmap": MAX_OF_ONE,
    "ssrc-group": MAX_OF_ONE,
}
_DIFFERENT = {"rtpmap": MAX_PAYLOAD_TYPES, "ssrc": MAX_SSRCS}
_SAME = {"rtcp-fb": MAX_OF_ONE, "ssrc": MAX_OF_ONE}
# What separates the parts of one value, and how many there may be.
_PARTS = {
    "content": (",", MAX_OF_ONE),
    "extmap": (" ", MAX_OF_ONE),
    "fmtp": (";", MAX_PARAMETERS),
    "rtcp-fb": (" ", MAX_OF_ONE),
    "ssrc-group": (" ", MAX_OF_ONE),
}


def _limits(section: Section, longest: int) -> None:
    """Nothing may pass a limit of J-244. `longest`: characters of the longest line. Raises SdpError."""
    found = section.attributes
    for name, most in _LINES.items():
        if len(found.get(name, ())) > most:
            raise _too_many(section, name, most)
    for table, wanted in ((_DIFFERENT, len), (_SAME, _most)):
        for name, most in table.items():
            values = found.get(name, ())
            if len(values) > most and wanted(Counter([value.partition(" ")[0] for value in values])) > most:
                raise _too_many(section, name, most)
    if longest > 2 * MAX_OF_ONE:
        for name in _PARTS:
            if section.codecs is not None and name in _OF_CODECS:
                continue  # they have been looked at, see `_codec`
            for value in found.get(name, ()):
                if len(value) > MAX_OF_ONE and _crowded(name, value):
                    raise _too_many(section, name, _PARTS[name][1])


def _crowded(name: str, value: str) -> bool:
    """Has a value too many parts?"""
    if name not in _PARTS:
        return False
    separator, most = _PARTS[name]
    return value.count(separator) >= most and len(value.split(separator.strip() or None)) > most


def _most(counted: Counter[str]) -> int:
    return max(counted.values())


def _too_many(section: Section, name: str, most: int) -> SdpError:
    where = f"section {section.index}" if isinstance(section, MediaDescription) else "the session part"
    return SdpError(f"more than {most} in or of a={name} in {where}", rule="J-244")


def within_limits(sdp: SessionDescription) -> SessionDescription:
    """A description that was made and not parsed, if none of its lines is too long. Raises SdpError."""
    for section in (sdp.part, *sdp.media):
        if len("".join(section.lines)) > MAX_LINE and max(map(len, section.lines)) > MAX_LINE:
            raise SdpError(f"a line of more than {MAX_LINE} characters", rule="J-244")
    return sdp


def _mids(session: SessionDescription) -> None:
    """Each mid is a token and stands once (RFC 5888 §4); a section without mid is legal."""
    seen: set[str] = set()
    for media in session.media:
        mid = media.mid
        if mid is None:
            continue
        if not mid or " " in mid or not mid.isprintable():
            raise SdpError(f"the mid of section {media.index} is not a token", rule="J-194")
        if mid in seen:
            raise SdpError(f"mid {mid[:32]} stands twice", rule="J-194")
        seen.add(mid)
