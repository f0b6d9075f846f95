"""What an SDP is in memory: sections of lines, with an index of the attributes.

The lines are the truth and stay as they came, in their order; the index only finds them. Values are looked at when somebody
asks, so that reading a description costs one pass over its lines. Spec: RFC 8866 §5; J-259.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from jinglebridge.errors import SdpError


class Direction(StrEnum):
    """Who sends, as the author of the description sees it. RFC 8866 §6.7"""

    __hash__ = str.__hash__  # that of an enumeration is slow

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"


# Plain strings: members of an enumeration are slow keys.
_DIRECTIONS = tuple((direction.value, direction) for direction in Direction)


class CodecLines(NamedTuple):
    """All that an SDP says of one payload type in one place: a=rtpmap, and a=rtcp-fb and a=fmtp right behind it.

    `id`: the payload type; `text`: the lines without the first "a=rtpmap:"; `values`: those of its attributes by name.
    """

    id: str
    text: str
    lines: tuple[str, ...]
    values: tuple[tuple[str, tuple[str, ...]], ...]


class Section:
    """Lines of the session part or of one media part.

    `lines` are whole lines ("a=mid:0") without line ends. `codecs`: by payload type, where the section was parsed and all its lines
    about codecs stand in such groups, one for each; else None.
    """

    __slots__ = ("_index", "codecs", "lines")

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.codecs: dict[str, CodecLines] | None = None
        self._index: dict[str, list[str]] | None = None

    @property
    def attributes(self) -> dict[str, list[str]]:
        """Values by name, in order; an attribute without value has the value "". Made from the lines when somebody asks."""
        if self._index is None:
            self._index = {}
            for line in self.lines:
                if line[:2] == "a=":
                    name, _, value = line[2:].partition(":")
                    self._index.setdefault(name, []).append(value)
        return self._index

    def __contains__(self, name: str) -> bool:
        return name in self.attributes

    def get(self, name: str) -> str | None:
        """First value of `a=name`, None if there is none."""
        values = self.attributes.get(name)
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        """All values of `a=name` in order; do not alter the list."""
        return self.attributes.get(name, [])

    def values(self, type: str) -> list[str]:
        """Values of the lines of another type than "a", for example `values("b")`."""
        return [line[2:] for line in self.lines if line[0] == type]

    def line(self, line: str) -> None:
        """Append a line that is not an attribute."""
        self.lines.append(line)
        self.codecs = None

    def add(self, name: str, value: str = "") -> None:
        """Append `a=name:value`, or `a=name` without value."""
        self.lines.append(f"a={name}:{value}" if value else f"a={name}")
        self.codecs = None
        if self._index is not None:
            self._index.setdefault(name, []).append(value)

    def extend(self, lines: Iterable[str]) -> None:
        """Append whole lines; many at once, since the index is made anew."""
        self.lines += lines
        self._index = self.codecs = None

    @property
    def direction(self) -> Direction | None:
        """Direction written in this section. RFC 8866 §6.7."""
        for word, direction in _DIRECTIONS:
            if word in self.attributes:
                return direction
        return None


class SessionPart(Section):
    """The lines before the first m= line. `texts`: the lines of each section. Sections stay, and lines are only ever appended to them."""

    __slots__ = ("_mids", "_size", "texts")

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[list[str]] = []
        self._mids: frozenset[str] = frozenset()
        self._size = 0  # lines when they were looked for

    @property
    def mids(self) -> frozenset[str]:
        """The names of all sections that have one: the first that each says."""
        size = sum(map(len, self.texts))
        if size != self._size:
            first = [next((line[6:] for line in lines if line[:6] == "a=mid:"), None) for lines in self.texts]
            self._mids, self._size = frozenset(mid for mid in first if mid is not None), size
        return self._mids


class MediaDescription(Section):
    """One m= section. `port` 0 without `a=bundle-only` means rejected or removed (RFC 9143 §6).

    `session` is the part that all sections share, not the description: that would be a cycle, and each description would wait for the
    garbage collector (a tenth of a translation).
    """

    __slots__ = ("formats", "index", "kind", "port", "proto", "session")

    def __init__(self, session: SessionDescription, kind: str, port: int, proto: str, formats: tuple[str, ...]) -> None:
        super().__init__()
        self.session = session.part
        self.session.texts.append(self.lines)
        self.index = len(session.media)
        self.kind = kind
        self.port = port
        self.proto = proto
        self.formats = formats

    @property
    def mid(self) -> str | None:
        """Its name in groups, None where it has none. RFC 5888 §4"""
        if self._index is not None:
            return self.get("mid")
        # It stands near the beginning, and often nobody asks for more: no reason to index all lines.
        return next((line[6:] for line in self.lines if line[:6] == "a=mid:" or line == "a=mid"), None)

    @property
    def rejected(self) -> bool:
        """Does no media flow by it, now or ever?"""
        return self.port == 0 and "bundle-only" not in self.attributes

    @property
    def effective_direction(self) -> Direction:
        """Direction of this section, else of the session, else sendrecv. J-109."""
        return self.direction or self.session.direction or Direction.SENDRECV

    def inherited(self, name: str) -> str | None:
        """First value of an attribute that may stand at session level for all sections."""
        values = self.attributes.get(name) or self.session.attributes.get(name)
        return values[0] if values else None

    def inherited_all(self, name: str) -> list[str]:
        """As `inherited`, all values of the level that has any."""
        return self.attributes.get(name) or self.session.attributes.get(name) or []


class SessionDescription(Section):
    """A whole description; `media` in the order of the m= lines. As a section it is its `part`."""

    __slots__ = ("media", "part")

    def __init__(self) -> None:
        self.part = SessionPart()
        self.media: list[MediaDescription] = []

    @property
    def lines(self) -> list[str]:
        return self.part.lines

    @lines.setter
    def lines(self, lines: list[str]) -> None:
        self.part.lines = lines

    @property
    def codecs(self) -> dict[str, CodecLines] | None:
        return self.part.codecs

    @codecs.setter
    def codecs(self, codecs: dict[str, CodecLines] | None) -> None:
        self.part.codecs = codecs

    @property
    def _index(self) -> dict[str, list[str]] | None:
        return self.part._index

    @_index.setter
    def _index(self, index: dict[str, list[str]] | None) -> None:
        self.part._index = index

    def add_media(self, kind: str, port: int, proto: str, formats: tuple[str, ...]) -> MediaDescription:
        """Begin a new m= section, the m= line included."""
        media = MediaDescription(self, kind, port, proto, formats)
        media.line(f"m={kind} {port} {proto} {' '.join(formats)}")
        self.media.append(media)
        return media

    def section(self, mid: str) -> MediaDescription | None:
        """The section with this mid."""
        return next((media for media in self.media if media.mid == mid), None)

    def format(self) -> str:
        """The text, each line ended by CRLF. Raises SdpError if a value smuggled in a line end (it never should)."""
        lines = list(self.lines)
        for media in self.media:
            lines += media.lines
        held = "".join(lines)
        if "\n" in held or "\r" in held or "\0" in held:
            raise SdpError("a value holds a line end", rule="J-151")
        lines.append("")
        return "\r\n".join(lines)
