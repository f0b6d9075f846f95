"""Text to model. One pass, linear in the length, everything that is wrong is an SdpError with its line number.

Lenient where browsers differ (LF alone, order of lines, unknown attributes), strict where a value would reach the other
side or where a limit is passed. Spec: RFC 8866 §9; J-105, J-244, J-259.
"""

from __future__ import annotations

import re

from jinglebridge.errors import SdpError
from jinglebridge.sdp.model import MediaDescription, Section, SessionDescription

MAX_BYTES = 64 * 1024
MAX_LINE = 8 * 1024  # characters
MAX_LINES = 2000
MAX_MEDIA = 16
MAX_CANDIDATES = 100  # of one section
MAX_PAYLOAD_TYPES = 64  # of one section
MAX_SSRCS = 64  # of one section, different ones

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
    if len(text) > MAX_LINE and max(map(len, lines)) > MAX_LINE:
        raise SdpError(f"a line of more than {MAX_LINE} characters", rule="J-244")
    if not "".join(lines).isprintable():
        _control_characters(lines)
    session = SessionDescription()
    section: Section = session
    found, begin = section.attributes, 0
    for number, line in enumerate(lines, 1):
        head, _, value = line.partition(":")
        name = _NAMES.get(head)
        if name is None and head[:2] == "a=":
            name = _name(head, number)
        if name is not None:
            if name in found:
                found[name].append(value)
            else:
                found[name] = [value]
        else:
            following = _other(session, section, line, number)
            if following is not section:
                section.lines, begin = lines[begin : number - 1], number - 1
                section, found = following, following.attributes
    section.lines = lines[begin:]
    if not session.lines or session.lines[0] != "v=0":
        raise SdpError("does not begin with v=0", line=1)
    for media in session.media:
        _limits(media)
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
        raise SdpError("not an attribute", line=number)
    return name


def _control_characters(lines: list[str]) -> None:
    for number, line in enumerate(lines, 1):
        if ILLEGAL.search(line):
            raise SdpError("control character", line=number)


def _other(session: SessionDescription, section: Section, line: str, number: int) -> Section:
    """The section that a line which is no attribute belongs to: m= begins one."""
    if len(line) < 2 or line[1] != "=" or line[0] not in _TYPES:
        raise SdpError("not a line of SDP", line=number)
    if line[0] == "m":
        return _media(session, line, number)
    return section


def _media(session: SessionDescription, line: str, number: int) -> MediaDescription:
    """RFC 8866 §5.14: m=<media> <port>[/<number>] <proto> <fmt> ..."""
    fields = line[2:].split()
    if len(session.media) == MAX_MEDIA:
        raise SdpError(f"more than {MAX_MEDIA} m= sections", line=number, rule="J-244")
    if len(fields) < 4:
        raise SdpError("m= needs media, port, protocol and formats", line=number)
    port = fields[1].partition("/")[0]
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        raise SdpError("m= has a port that is none", line=number)
    if len(fields) - 3 > MAX_PAYLOAD_TYPES:
        raise SdpError(f"more than {MAX_PAYLOAD_TYPES} payload types", line=number, rule="J-244")
    media = MediaDescription(session, fields[0], int(port), fields[2], tuple(fields[3:]))
    session.media.append(media)
    return media


def _limits(media: MediaDescription) -> None:
    if len(media.all("candidate")) > MAX_CANDIDATES:
        raise SdpError(f"more than {MAX_CANDIDATES} candidates in section {media.index}", rule="J-244")
    for name, most in (("rtpmap", MAX_PAYLOAD_TYPES), ("ssrc", MAX_SSRCS)):
        values = media.all(name)
        if len(values) > most and len({value.partition(" ")[0] for value in values}) > most:
            raise SdpError(f"more than {most} of a={name} in section {media.index}", rule="J-244")


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
