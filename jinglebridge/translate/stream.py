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
from jinglebridge.translate.policy import NONE, PeerPolicy
from jinglebridge.translate.stream_side import Side
from jinglebridge.xml import parse_text

MAX_CALLS = 1000  # about 200 KiB each; the one that was silent longest is forgotten

_AUTHORS = {"a2b": Role.INITIATOR, "b2a": Role.RESPONDER}

_Call = dict[Role, Side]


class StreamTranslator:
    """Translates the messages of many calls; `handle` never raises on any JSON object.

    Args:
        policy: what is left out of what travels.
        extensions: what has no Jingle form travels as well.
        check: called with the text of each stanza that travels; a ProtocolError that it raises is the reply.
    """

    def __init__(self, policy: PeerPolicy = NONE, *, extensions: bool = False, check: Callable[[str], object] | None = None) -> None:
        self.policy, self.extensions, self.check = policy, extensions, check
        self.calls: dict[str, _Call] = {}

    def handle(self, msg: dict[str, Any]) -> dict[str, Any]:
        """The reply to one message. A message that gets an error changes nothing.

        Args:
            msg: ``{"id", "call", "dir": "a2b"|"b2a", "kind": "offer"|"answer"|"candidate"|"end", "round", "sdp" | "candidate"}``.

        Returns: ``{"id", "sdp"}``, ``{"id", "candidate": {…}|null}`` (null: nothing is to be delivered), ``{"id", "out": […]}`` or
            ``{"id", "error": "why"}``.
        """
        reply: dict[str, Any] = {"id": msg.get("id")}
        try:
            reply |= self._translate(msg)
        except ProtocolError as problem:
            reply["error"] = str(problem)
        return reply

    def _translate(self, msg: dict[str, Any]) -> dict[str, Any]:
        author = _AUTHORS.get(str(msg.get("dir")))
        if author is None:
            raise Refused("dir is a2b or b2a")
        sid = str(msg.get("call"))
        call = self.calls.get(sid) or {role: Side(role, sid, self.policy, self.extensions) for role in Role}
        call = {role: copy(side) for role, side in call.items()}
        reply = self._said(call[author], call[author.other], msg)
        self.calls.pop(sid, None)
        if len(self.calls) >= MAX_CALLS:
            del self.calls[next(iter(self.calls))]
        self.calls[sid] = call
        return reply

    def _said(self, side: Side, other: Side, msg: dict[str, Any]) -> dict[str, Any]:
        match msg.get("kind"), msg.get("sdp"), msg.get("candidate"):
            case "offer", str(sdp), _:
                return {"sdp": other.hear_offer(self._through(side.offer(parse(sdp)))).format()}
            case "answer", str(sdp), _:
                return {"sdp": other.hear_answer(self._through(side.answer(parse(sdp)))).format()}
            case "candidate", _, dict(init):
                info = side.candidate(init)
                heard = [item for jingle in self._through([] if info is None else [info]) for item in other.hear_info(jingle)]
                return {"candidate": heard[0] if heard else None}
            case "end", _, _:
                for jingle in self._through(side.end()):
                    other.hear_info(jingle)
                return {"out": [{"kind": "end"}]} if other.complete() else {"candidate": None}
        raise Refused(f"not a message of this protocol: kind {str(msg.get('kind'))[:40]}")

    def _through(self, stanzas: Iterable[Jingle]) -> list[Jingle]:
        """The stanzas as the other side reads them."""
        texts = [jingle_text(jingle) for jingle in stanzas]
        for text in texts if self.check is not None else ():
            assert self.check is not None
            self.check(text)
        return [parse_jingle(parse_text(text)) for text in texts]
