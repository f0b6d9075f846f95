"""The two descriptions of a call as texts: in the journal, and in memory while a call does not change.

What the peer was told and has told is kept as the values that it was read into, field by field; what the endpoint said and was given is
SDP. Candidates that came later stand beside them, in order, and are put into them when somebody needs the whole: most never are.
"""

from __future__ import annotations

import json
import zlib
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any
from xml.etree import ElementTree

import msgspec

from jinglebridge import sdp
from jinglebridge.jingle import Candidate
from jinglebridge.jingle.private import CandidateTail
from jinglebridge.translate.described import Described
from jinglebridge.translate.outline import Late, Outline, outline
from jinglebridge.translate.side import Offer, Side
from jinglebridge.translate.side_trickle import catch_up
from jinglebridge.xml import to_text

# Several times as fast as the standard library's, and the journal asks for each change of a call.
_json = msgspec.json.Encoder(enc_hook=to_text)
_CANDIDATE = (
    *("component", "foundation", "ip", "port", "priority", "type", "protocol", "generation", "id", "network"),
    *("related_address", "related_port", "tcptype"),
)
_fields = attrgetter(*_CANDIDATE)


def encode(value: Any) -> str:
    """JSON without blanks."""
    return _json.encode(value).decode()


@dataclass(slots=True)
class Descriptions:
    """The side of a call in one of its forms: `live`, to be worked with; `packed`, small; or nothing yet.

    `offer`: what our endpoint said when it called, until the side is there; without it there is only its text in the call. `late`:
    candidates that the form does not hold yet, and whether they are ours. `text`: the JSON of `live`, "" if nobody asked yet. `soon`: it
    is to be packed when the journal asks for it, since that is half of the work.
    """

    offer: Offer | None = None
    live: Side | None = None
    packed: bytes = b""
    soon: bool = False
    late: list[tuple[bool, Late]] = field(default_factory=list)
    text: str = ""
    _outline: Outline | None = None

    def side(self, blank: Callable[[], Side]) -> Side:
        """The side with all that is known. A change to it is made on a copy, which then replaces it."""
        side = self._live(blank)
        if self.late:
            _catch_up(side, self.late)
            self.late, self.text = [], ""
        return side

    def copied(self, blank: Callable[[], Side]) -> Side:
        """A copy of it."""
        side = copy(self._live(blank))
        _catch_up(side, self.late)
        return side

    def _live(self, blank: Callable[[], Side]) -> Side:
        if self.live is None:
            self.live = self._unpacked(blank())
            self.packed = b""
        return self.live

    def replace(self, side: Side) -> None:
        self.offer, self.live, self.packed, self.late, self.text, self._outline = None, side, b"", [], "", None
        self.soon = False

    def outline(self, blank: Callable[[], Side]) -> Outline:
        """What candidates need of the side, in whatever form it is."""
        if self._outline is None:
            self._outline = outline(self.live or self._unpacked(blank()))  # nothing is late where nobody asked before
        return self._outline

    def remember(self, late: Late, *, own: bool) -> None:
        """A candidate that was told to the peer, or came from it."""
        self.late.append((own, late))

    def pack(self) -> None:
        """Make it small until the descriptions are needed again."""
        if self._large:
            self._shrink(self._whole())

    def to_json(self) -> str:
        """A list: the side, and the candidates that came later. Empty if there is nothing yet. What is packed stays so, in base64."""
        if self.soon:
            self.pack()
        if self.live is not None:
            first = self._live_text
        elif self.packed:
            first = f'"{b2a_base64(self.packed, newline=False).decode()}"'
        else:
            return "[]"
        return self._with_late(first)

    @property
    def _live_text(self) -> str:
        assert self.live is not None
        self.text = self.text or _text(self.live)
        return self.text

    def _with_late(self, first: str) -> str:
        return f"[{first},{encode([*map(_listed, self.late)])[1:]}" if self.late else f"[{first}]"

    @property
    def _large(self) -> bool:
        return self.live is not None or bool(self.packed and self.late)

    def _shrink(self, text: str) -> None:
        if self._outline is None and self.live is not None:
            self._outline = outline(self.live)
        self.packed = zlib.compress(text.encode(), 1)
        self.live, self.late, self.text, self.soon = None, [], "", False

    def _whole(self) -> str:
        """With nothing packed."""
        return self._with_late(self._live_text if self.live is not None else zlib.decompress(self.packed).decode()[1:-1])

    @classmethod
    def from_json(cls, data: list[Any]) -> Descriptions:
        """Raises ValueError, KeyError or TypeError for what another version wrote, here and not in the middle of a call."""
        if data and isinstance(data[0], str):
            try:
                first, *late = json.loads(zlib.decompress(a2b_base64(data[0])))
            except zlib.error as error:
                raise ValueError(str(error)) from None
            data[:1] = first, *late
        for described in [side[name] for side in data[:1] for name in ("own", "peer")]:
            _described(described)
        return cls(packed=zlib.compress(encode(data).encode(), 1) if data else b"")

    def _unpacked(self, blank: Side) -> Side:
        if not self.packed:
            return blank
        data, *late = json.loads(zlib.decompress(self.packed))
        side = restore(blank, data)
        _catch_up(side, map(_late, late))
        return side


def _catch_up(side: Side, late: Iterable[tuple[bool, Late]]) -> None:
    for own, found in late:
        catch_up(side, [found] if own else [], [] if own else [found])
        side.candidates += len(found.candidates) if own else 0


def _listed(item: tuple[bool, Late]) -> list[Any]:
    own, late = item
    tails = [[tail.id, tail.tail, tail.protocol] for tail in late.tails]
    return [own, late.name, [*map(_fields, late.candidates)], tails, late.complete]


def _late(data: list[Any]) -> tuple[bool, Late]:
    own, name, candidates, tails, complete = data
    return own, Late(name, tuple(Candidate(*c) for c in candidates), tuple(CandidateTail(*tail) for tail in tails), complete)


def saved(side: Side) -> dict[str, Any]:
    """The side as JSON types."""
    found: dict[str, Any] = json.loads(_text(side))
    return found


def _text(side: Side) -> str:
    """The side as JSON."""
    return encode(
        {
            "own": side.own,
            "peer": side.peer,
            "said": None if side.said is None else side.said.format(),
            "shown": None if side.shown is None or side.shown is side.said else side.shown.format(),
            "names": side.names,
            "added": side.added,
            "active": side.active,
            "version": side.version,
            "candidates": side.candidates,
        }
    )


def restore(blank: Side, data: dict[str, Any]) -> Side:
    """`blank` with everything that `saved` kept."""
    side = copy(blank)
    side.own, side.peer = _described(data["own"]), _described(data["peer"])
    side.said = None if data["said"] is None else sdp.parse(data["said"])
    side.shown = side.said if data["shown"] is None else sdp.parse(data["shown"])
    side.names, side.added = data["names"], tuple(data["added"])
    side.active, side.version, side.candidates = data["active"], data["version"], data["candidates"]
    return side


def _described(data: Any) -> Described | None:
    """Raises ValueError."""
    try:
        # Not by `parse_text`: what fitted several stanzas may be longer than one.
        return msgspec.convert(data, Described | None, dec_hook=lambda _, text: ElementTree.fromstring(text))
    except (msgspec.ValidationError, ElementTree.ParseError) as error:
        raise ValueError(str(error)) from None
