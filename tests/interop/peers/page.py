"""The web user of a story: a WebSocket client that speaks ``jinglebridge.v1`` with its bare hands, and SDP that Chromium wrote."""

from __future__ import annotations

import json
from typing import Any

import aiohttp

from jinglebridge.web import messages as m

from . import media


class Refused(Exception):
    """The bridge answered a request with an error, or took an offer back; the arguments are its code (or ``rollback``) and `what`."""


async def _connected(http: aiohttp.ClientSession, url: str, **way: Any) -> tuple[aiohttp.ClientWebSocketResponse, list[dict[str, Any]]]:
    """A socket, and what came on it up to the welcome."""
    socket = await http.ws_connect(url, protocols=(m.PROTOCOL,), max_msg_size=0)
    await socket.send_str(json.dumps({"type": "hello", "id": "hello", "version": 1, **way}))
    first: list[dict[str, Any]] = []
    while not first or first[-1]["type"] != "welcome":
        first.append(await socket.receive_json(timeout=5))
    return socket, first


class Page:
    """Everything that came and has not been expected yet stays in `inbox`. Third person: what the user or the page does."""

    def __init__(self, stage: Any, socket: aiohttp.ClientWebSocketResponse, jid: str, first: list[dict[str, Any]]) -> None:
        self._stage, self._socket = stage, socket
        self.full, self.jid = jid, jid.partition("/")[0]
        self.inbox: list[dict[str, Any]] = list(first)
        self.call = self.case = ""  # `case`: as the peer has it
        self.media: tuple[str, ...] = ()
        self.local = self.remote = ""  # SDP
        self._requests = 0
        self._secret = first[-1]["resume"]
        self._reader = stage.loop.create_task(self._read())

    @classmethod
    async def open(cls, stage: Any, http: aiohttp.ClientSession, url: str, token: str) -> Page:
        socket, first = await _connected(http, url, token=token)
        return cls(stage, socket, first[-1]["jid"], first)

    def reloads(self, http: aiohttp.ClientSession, url: str) -> None:
        """The page is loaded anew, and resumes its session."""
        self._stage.run(self._reload(http, url))

    async def _reload(self, http: aiohttp.ClientSession, url: str) -> None:
        await self.close()
        seen = max((frame["seq"] for frame in self.inbox if "seq" in frame), default=0)
        self._socket, first = await _connected(http, url, resume={"secret": self._secret, "lastSeq": seen})
        self.full, self._secret = first[-1]["jid"], first[-1]["resume"]
        self._reader = self._stage.loop.create_task(self._read())

    async def close(self) -> None:
        self._reader.cancel()
        await self._socket.close()

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                frame = json.loads(message.data)
                self.inbox.append(frame)
                self._stage.told("page", frame)

    # --- frames

    def asks(self, type: str, **fields: Any) -> None:
        """Send a request and wait for its ack. Raises Refused."""
        self._requests += 1
        id = f"{self.jid}-{self._requests}"
        self._stage.said("page", type, fields)
        self._stage.run(self._socket.send_str(json.dumps({"type": type, "id": id, **fields})))
        reply = self._stage.until(lambda: self._take(("ack", "error", "pong"), {"id": id}), f"an answer to {type}")
        if reply["type"] == "error":
            raise Refused(reply["code"], reply.get("what"))

    def _take(self, types: tuple[str, ...], fields: dict[str, Any]) -> dict[str, Any] | None:
        for frame in self.inbox:
            if frame["type"] in types and all(frame.get(k) == v for k, v in fields.items()):
                self.inbox.remove(frame)
                return frame
        return None

    def hears(self, type: str, within: float = 5.0, **fields: Any) -> dict[str, Any]:
        """The next frame of this type with these fields."""
        return self._stage.until(lambda: self._take((type,), fields), f"the page hears {type} {fields}", within)  # type: ignore[no-any-return]

    def hears_no(self, *types: str) -> None:
        """Nothing of these types came, and all that was said so far has been dealt with."""
        self._stage.settles()
        found = [f for f in self.inbox if f["type"] in types]
        assert not found, found

    # --- a call

    def calls(self, to: str, *what: str) -> None:
        self.call, self.media = f"call-{self._requests}", what
        self.local = media.talk(what, self.case).offer
        self.asks("call", call=self.call, to=to, description={"type": "offer", "sdp": self.local})

    def trickles(self, *, answer: bool = False) -> int:
        """Gives all its candidates to the bridge; how many."""
        round_ = media.talk(self.media, self.case)
        found = round_.answer_candidates if answer else round_.offer_candidates
        for candidate in found:
            self.asks("candidate", call=self.call, candidate=candidate)
        return len(found)

    def rings(self, *what: str, **fields: Any) -> None:
        """Hears that somebody calls with these media."""
        frame = self.hears("incoming", media={"audio": "audio" in what, "video": "video" in what}, **fields)
        self.call, self.media = frame["call"], what

    def accepts(self) -> None:
        self.asks("accept", call=self.call)

    def answers(self) -> None:
        """Sets the offer that came and answers as Chromium did."""
        self.remote = self.hears("description", call=self.call)["description"]["sdp"]
        self.media = tuple(line[2:].split()[0] for line in self.remote.splitlines() if line.startswith("m="))
        self.local = media.talk(self.media, self.case).answer
        self.asks("description", call=self.call, description={"type": "answer", "sdp": self.local})

    def gets_answer(self) -> None:
        frame = self.hears("description", call=self.call)["description"]
        assert frame["type"] == "answer"
        self.remote = frame["sdp"]

    def declines(self, **how: Any) -> None:
        self.asks("reject", call=self.call, **how)

    def hangs_up(self, **how: Any) -> None:
        self.asks("hangup", call=self.call, **how)

    def ends(self, *reasons: str, within: float = 5.0) -> None:
        """Hears that the call is over, for one of these reasons."""
        frame = self.hears("ended", within, call=self.call)
        assert frame["reason"] in reasons, frame

    # --- changes of a call that is up

    def reoffers(self, sdp: str, within: float = 10.0) -> str:
        """Offers a change, as open to a DTLS role as every offer, and waits for the answer. Raises Refused."""
        sdp = sdp.replace("a=setup:active", "a=setup:actpass").replace("a=setup:passive", "a=setup:actpass")
        self.asks("description", call=self.call, description={"type": "offer", "sdp": sdp})
        frame = self._stage.until(lambda: self._take(("description", "rollback"), {"call": self.call}), "an end of the wait", within)
        if frame["type"] == "rollback":
            raise Refused("rollback", frame["what"])
        assert frame["description"]["type"] == "answer", frame
        self.local, self.remote = sdp, frame["description"]["sdp"]
        return self.remote

    def is_offered(self) -> str:
        """A change of the peer: an offer that keeps the sections that were there."""
        found = self.hears("description", call=self.call)["description"]
        assert found["type"] == "offer", found
        before, now = ([line for line in sdp.splitlines() if line.startswith("a=mid:")] for sdp in (self.remote, found["sdp"]))
        assert now[: len(before)] == before
        self.remote = found["sdp"]
        return self.remote

    def agrees(self, sdp: str) -> None:
        self.local = sdp
        self.asks("description", call=self.call, description={"type": "answer", "sdp": sdp})
