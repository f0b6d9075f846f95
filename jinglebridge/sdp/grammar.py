"""Text to model. One pass, linear in the length, everything that is wrong is an SdpError with its line number.

Lenient where browsers differ (LF alone, order of lines, unknown attributes), strict where a value would reach the other
side or where a limit is passed. Spec: RFC 8866 §9; J-105, J-244, J-259.
"""

from __future__ import annotations

import re
from collections import Counter

from jinglebridge.errors import SdpError
from jinglebridge.sdp.model import MediaDescription, Section, SessionDescription

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
    text = text.replace("\r\n", "\n")
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    if len(lines) > MAX_LINES:
        raise SdpError(f"more than {MAX_LINES} lines", rule="J-244")
    longest = max(map(len, lines), default=0)
    if longest > MAX_LINE:
        raise SdpError(f"a line of more than {MAX_LINE} characters", rule="J-244")
    if not "".join(lines).isprintable():
        _control_characters(lines)
    session = SessionDescription()
    section: Section = session
    found, begin = section.attributes, 0
    last: str | None = None  # the lines of one attribute mostly stand together
    for number, line in enumerate(lines, 1):
        head, _, value = line.partition(":")
        if head != last:
            name = _NAMES.get(head)
            if name is None and head[:2] == "a=":
                name = _name(head, number)
            if name is None:
                following = _other(session, section, line, number)
                if following is not section:
                    section.lines, begin = lines[begin : number - 1], number - 1
                    section, found = following, following.attributes
                    last = None
                continue
            last, append = head, found.setdefault(name, []).append
        append(value)
    section.lines = lines[begin:]
    if not session.lines or session.lines[0] != "v=0":
        raise SdpError("does not begin with v=0", line=1, rule="J-259")
    for each in (session, *session.media):
        _limits(each, longest)
    _mids(session)
    return session


# The attributes of browsers; any other is fine too, and found a little later.
_NAMES = {
    f"a={name}": name
    for name in (
        "candidate extmap fmtp fingerprint ice-options ice-pwd ice-ufrag mid msid rtcp rtcp-fb rtcp-mux rtcp-rsize rtpmap "
        "sctp-port sendrecv setup ssrc ssrc-group"
    ).split()
}


def _name(head: str, number: int) -> str:
    """The attribute's name in a line up to its colon."""
    name = head[2:]
    if not name or " " in name:
        raise SdpError("not an attribute", line=number, rule="J-259")
    return name


def _control_characters(lines: list[str]) -> None:
    for number, line in enumerate(lines, 1):
        if ILLEGAL.search(line):
            raise SdpError("control character", line=number, rule="J-151")


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
        for name, (separator, most) in _PARTS.items():
            for value in found.get(name, ()):
                if value.count(separator) >= most and len(value.split(separator.strip() or None)) > most:
                    raise _too_many(section, name, most)


def _most(counted: Counter[str]) -> int:
    return max(counted.values())


def _too_many(section: Section, name: str, most: int) -> SdpError:
    where = f"section {section.index}" if isinstance(section, MediaDescription) else "the session part"
    return SdpError(f"more than {most} in or of a={name} in {where}", rule="J-244")


def within_limits(sdp: SessionDescription) -> SessionDescription:
    """A description that was made and not parsed, if none of its lines is too long. Raises SdpError."""
    for section in (sdp, *sdp.media):
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
