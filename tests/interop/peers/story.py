"""A stage for one peer and one page, with a judge. Both act and wait in plain, blocking words; the loop turns while they wait.

Every story ends with `closes`: no breach of the checklist, nothing that the client itself blamed, no call left.
"""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import aiohttp

from jinglebridge.demo.lab import Ejabberd

from ..bridge import BridgeProcess
from ..servers import unique_user
from .base import Leg, Peer
from .judge import Judge
from .page import Page
from .words import Heard, error_of, text, what

ACTIONS = ("session-initiate", "session-accept", "session-terminate", "session-info", "transport-info")
P = TypeVar("P", bound=Peer)
T = TypeVar("T")


class Story(Generic[P]):
    """`peer` and `page` know each other and see each other's presence before the story begins."""

    def __init__(self, server: Ejabberd, bridge: BridgeProcess, kind: type[P]) -> None:
        self.loop = asyncio.new_event_loop()
        self.server, self.bridge = server, bridge
        self.script: list[str] = []
        self._news = asyncio.Event()
        self._http: aiohttp.ClientSession | None = None
        self._pages: list[Page] = []
        self._peers: list[Peer] = []
        self._judges: dict[int, Judge] = {}
        self.peer: P = self.another_peer(kind)
        self.page = self.another_page(unique_user("bob"))

    # --- who is on it

    def another_peer(self, kind: type[P], user: str = "") -> P:
        early: list[tuple[str, ET.Element]] = []
        peer = kind(self.loop, self.server, user or unique_user("al"), lambda side, stanza: early.append((side, stanza)))
        judge = Judge(peer.full, self.server.component, self.loop.time, lambda stanza: peer.wire.send(text(stanza)))
        self._judges[id(peer)] = judge

        def witness(side: str, stanza: ET.Element) -> None:
            judge.witness(side, stanza)
            self._write(type(peer).__name__, side, stanza)

        peer._witness = witness
        for side, stanza in early:
            witness(side, stanza)
        self._peers.append(peer)
        self.hears(peer, "available", sender=peer.full)  # the server knows that it is there: what is for the bare JID is for it, too
        return peer

    def another_page(self, user: str) -> Page:
        """Of a person who has the peer as contact; a second page of the same person rings as well."""
        if self._http is None:
            self._http = self.run(self._session())
        token = self.bridge.token(user, self.peer.jid)
        page: Page = self.run(Page.open(self, self._http, self.bridge.url + "/ws", token))
        self._pages.append(page)
        self.hears(self.peer, "available", sender=page.full)
        self.until(lambda: self._sees(page), "the page sees what the peer can do")
        return page

    def reloads(self, page: Page) -> None:
        """The page is loaded anew, and is at its address again."""
        assert self._http is not None
        page.reloads(self._http, self.bridge.url + "/ws")

    async def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    def _sees(self, page: Page) -> bool | None:
        known = [f["contact"] for f in page.inbox if f["type"] == "contact"]
        known += [c for f in page.inbox if f["type"] == "welcome" for c in f["contacts"]]
        return any(c["jid"] == self.peer.jid and c["presence"] != "offline" and c["media"]["audio"] for c in known) or None

    @property
    def judge(self) -> Judge:
        """Of the first peer."""
        return self._judges[id(self.peer)]

    def close(self) -> None:
        for peer in self._peers:
            peer.close()
        for page in self._pages:
            self.run(page.close())
        if self._http is not None:
            self.run(self._http.close())
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    # --- time

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def passes(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    def until(self, found: Callable[[], T | None], what: str, within: float = 5.0) -> T:
        """Turn the loop until `found()` is not None."""
        return self.run(self._until(found, what, within))  # type: ignore[no-any-return]

    async def _until(self, found: Callable[[], T | None], what: str, within: float) -> T:
        end = self.loop.time() + within
        while (value := found()) is None:
            self._news.clear()
            left = end - self.loop.time()
            try:
                await asyncio.wait_for(self._news.wait(), max(0.0, min(left, 0.2)))
            except TimeoutError:
                if left <= 0:
                    raise AssertionError(f"not within {within} s: {what}\n" + "\n".join(self.script[-60:])) from None
        return value

    # --- what is written down

    def told(self, who: str, frame: dict[str, Any]) -> None:
        self._news.set()
        shown = {k: v if len(str(v)) < 60 else "…" for k, v in frame.items() if k not in ("type", "seq")}
        self.script.append(f"{who} < {frame['type']} {shown}")

    def said(self, who: str, type: str, fields: dict[str, Any]) -> None:
        shown = {k: v if len(str(v)) < 60 else "…" for k, v in fields.items()}
        self.script.append(f"{who} > {type} {shown}")

    def _write(self, who: str, side: str, stanza: ET.Element) -> None:
        self._news.set()
        word, payload = what(stanza)
        heard = Heard(word, stanza, payload, 0.0)
        arrow, other = (">", stanza.get("to", "")) if side == "says" else ("<", heard.sender)
        extra = " ".join([heard.reason or "", *(error_of(stanza) if stanza.get("type") == "error" else ())]).strip()
        self.script.append(f"{who} {arrow} {word} {extra} ({other}, {heard.sid or stanza.get('id')})".replace("  ", " "))

    # --- what is expected

    def hears(self, peer: Peer, word: str, within: float = 5.0, **fields: Any) -> Heard:
        """The next stanza of this word that `peer` got with these fields: to, sender, sid, reason."""

        def take() -> Heard | None:
            for heard in peer.inbox:
                got = {"to": heard.stanza.get("to"), "sender": heard.sender, "sid": heard.sid, "reason": heard.reason}
                if heard.what == word and all(got[k] == v for k, v in fields.items()):
                    peer.inbox.remove(heard)
                    return heard
            return None

        return self.until(take, f"{type(peer).__name__} hears {word} {fields}", within)

    def settles(self) -> None:
        """Whatever was said until now has been dealt with: the answer to a ping comes after it."""
        for peer in self._peers:
            id = peer.pings(self.page.full)
            self.until(lambda: peer.reply(id), "the answer to a ping")  # noqa: B023
        self.settle_page()

    def settle_page(self) -> None:
        """The same for the pages alone, while the peer hears nothing."""
        for page in self._pages:
            page.asks("ping")

    def hears_no(self, peer: Peer, *words: str) -> None:
        """Nothing of this came, and all that was said so far has been dealt with."""
        self.settles()
        found = [h.what for h in peer.inbox if h.what in words]
        assert not found, found

    def again(self, word: str) -> tuple[str, ...]:
        """The peer sends its last stanza of this word once more. The error of the reply to a request; () for a result or a message."""
        id = self.peer.repeats(word)
        self.script.append(f"{type(self.peer).__name__} > {word} once more")
        if word not in ACTIONS:
            return ()

        return error_of(self.until(lambda: self.peer.reply(id), f"an answer to the repeated {word}").stanza)

    def becomes(self, leg: Leg, state: str, within: float = 5.0) -> None:
        """The client thinks of its call as `state`."""
        self.until(lambda: True if leg.state == state else None, f"the client's call becomes {state}, is {leg.state} {leg.ended}", within)

    def closes(self, *, blames: tuple[str, ...] = ()) -> None:
        """The end of every story. `blames`: words of what the client is expected to complain about."""
        self.settles()
        for judge in self._judges.values():
            assert judge.verdict() == [], "\n".join([*judge.verdict(), *self.script[-60:]])
        for peer in self._peers:
            left = [b for b in peer.blames if not any(words in b for words in blames)]
            assert left == [], "\n".join([*left, *self.script[-60:]])
            assert [leg.sid for leg in peer.legs.values() if leg.state != "ended"] == [], self.script[-60:]
