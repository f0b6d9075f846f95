"""`jinglebridge translate --stream`: both sides of many calls, one JSON object at a time, everything through Jingle text.

Side A is the Jingle initiator. What an endpoint says becomes the stanzas of a Jingle session, as text; the other side reads them and makes
of them, and of what it knew, what its endpoint gets. Between the two nothing travels but that text. The message format is in
`StreamTranslator.handle`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

from jinglebridge.errors import ProtocolError, Refused
from jinglebridge.jingle import Jingle, Role, jingle_text, parse_jingle
from jinglebridge.sdp import parse
from jinglebridge.translate import side_trickle
from jinglebridge.translate.policy import NONE, PeerPolicy
from jinglebridge.translate.side import Side
from jinglebridge.xml import parse_text

MAX_CALLS = 1000
# The sum of `Side.size` of all calls. In memory that is five times as much for the SDP of browsers (100 MiB for 1000 calls), and twelve
# times as much (400 MiB) for the worst: nothing but candidates.
MAX_HELD = 32 * 1024 * 1024
MAX_NAME = 200  # characters of the name of a call

_AUTHORS = {"a2b": Role.INITIATOR, "b2a": Role.RESPONDER}

_Call = dict[Role, Side]


class StreamTranslator:
    """Translates the messages of many calls; `handle` never raises on any JSON object.

    It remembers at most `MAX_CALLS` calls, and no more SDP than `MAX_HELD`; beyond that the call is forgotten that was silent longest.

    Args:
        policy: what is left out of what travels.
        extensions: what has no Jingle form travels as well.
        check: called with the text of each stanza that travels; a ProtocolError that it raises is the reply.
    """

    def __init__(self, policy: PeerPolicy = NONE, *, extensions: bool = False, check: Callable[[str], object] | None = None) -> None:
        self.policy, self.extensions, self.check = policy, extensions, check
        self.calls: dict[str, _Call] = {}
        self.held = 0

    def handle(self, msg: dict[str, Any]) -> dict[str, Any]:
        """The reply to one message. A message that gets an error changes nothing.

        Args:
            msg: ``{"id", "call", "dir": "a2b"|"b2a", "kind": "offer"|"answer"|"candidate"|"end", "round", "sdp" | "candidate"}``.

        Returns: ``{"id", "sdp"}``, ``{"id", "candidate": {…}|null}`` (null: nothing is to be delivered), ``{"id", "out": […]}`` or
            ``{"id", "error": "why"}``.
        """
        id = msg.get("id")
        try:
            if isinstance(id, dict | list):
                raise Refused("id is a string or a number")
            return {"id": id, **self._translate(msg)}
        except ProtocolError as problem:
            return {"id": None if isinstance(id, dict | list) else id, "error": str(problem)}

    def _translate(self, msg: dict[str, Any]) -> dict[str, Any]:
        author = _AUTHORS.get(_field(msg, "dir", str))
        if author is None:
            raise Refused("dir is a2b or b2a")
        sid = str(_field(msg, "call", str, int))
        if not 0 < len(sid) <= MAX_NAME:
            raise Refused(f"call is a name of 1 to {MAX_NAME} characters")
        call = self.calls.get(sid) or {role: Side(role, sid, self.policy, self.extensions) for role in Role}
        call = {role: copy(side) for role, side in call.items()}
        reply = self._said(call[author], call[author.other], msg)
        self._forget(sid)
        self._keep(sid, call)
        return reply

    def _keep(self, sid: str, call: _Call) -> None:
        """The call is the one that spoke last."""
        self.calls[sid] = call
        self.held += _size(call)
        while len(self.calls) > MAX_CALLS or (self.held > MAX_HELD and len(self.calls) > 1):
            self._forget(next(iter(self.calls)))

    def _forget(self, sid: str) -> None:
        self.held -= _size(self.calls.pop(sid, {}))

    def _said(self, side: Side, other: Side, msg: dict[str, Any]) -> dict[str, Any]:
        match msg.get("kind"):
            case "offer":
                return {"sdp": other.hear_offer(self._through(side.offer(parse(_field(msg, "sdp", str))))).format()}
            case "answer":
                return {"sdp": other.hear_answer(self._through(side.answer(parse(_field(msg, "sdp", str))))).format()}
            case "candidate":
                info = side_trickle.told(side, _field(msg, "candidate", dict))
                heard = [item for jingle in self._through([] if info is None else [info]) for item in side_trickle.heard(other, jingle)]
                return {"candidate": heard[0] if heard else None}
            case "end":
                for jingle in self._through(side_trickle.ended(side)):
                    side_trickle.heard(other, jingle)
                return {"out": [{"kind": "end"}]} if side_trickle.complete(other) else {"candidate": None}
        raise Refused("kind is offer, answer, candidate or end")

    def _through(self, stanzas: Iterable[Jingle]) -> list[Jingle]:
        """The stanzas as the other side reads them."""
        texts = [jingle_text(jingle) for jingle in stanzas]
        for text in texts if self.check is not None else ():
            assert self.check is not None
            self.check(text)
        return [parse_jingle(parse_text(text)) for text in texts]


def _size(call: _Call) -> int:
    return sum(side.size for side in call.values())


def _field(msg: dict[str, Any], name: str, *types: type) -> Any:
    """A field of a message. Raises Refused, which names it."""
    value = msg.get(name)
    if value is None:
        raise Refused(f"{name} is missing")
    if not isinstance(value, types):
        raise Refused(f"{name} is {'an object' if dict in types else 'a string'}")
    return value
