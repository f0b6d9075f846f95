"""People in test pages: a web user of the bridge and an IM user with stanza.js, in any browser of `rtc`. Media is judged at both ends."""

from __future__ import annotations

import asyncio
import json
import time
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from jinglebridge.demo.lab import Ejabberd

from .bridge import BridgeProcess
from .rtc import Browser, Page

HERE = Path(__file__).parent
STANZAJS = HERE / "stanzajs/node_modules/stanza.bundle.js"
JINGLE = "{urn:xmpp:jingle:1}jingle"
AV = ("audio", "video")


def script(name: str) -> str:
    return (HERE / name).read_text()


async def until(what: str, look: Callable[[], Awaitable[Any]], good: Callable[[Any], Any], patience: float = 20.0) -> Any:
    """Look again and again until it is good; what was seen then. Fails with `what` and the last look."""
    end = time.monotonic() + patience
    while True:
        seen = await look()
        if good(seen):
            return seen
        assert time.monotonic() < end, f"not within {patience} s: {what}; last: {json.dumps(seen)[:3000]}"
        await asyncio.sleep(0.05)


class User:
    """One page with one person; see web_user.js and stanza_user.js for what can be asked."""

    def __init__(self, page: Page, hz: int) -> None:
        self.page = page
        self.hz = hz
        self.full = ""

    @property
    def jid(self) -> str:
        return self.full.partition("/")[0]

    async def _load(self, *sources: str) -> None:
        for source in sources:
            await self.page.run(f"void (() => {{ {source}\n }})()")
        await self.page.run(f"media.tone({self.hz})")

    async def ask(self, name: str, *arguments: Any) -> Any:
        return await self.page.run(f"user.{name}({', '.join(map(json.dumps, arguments))})")

    async def until(self, what: str, good: Callable[[Any], Any], patience: float = 20.0) -> Any:
        """Wait until the report of the page is good."""
        return await until(f"{self.jid}: {what}", lambda: self.ask("report"), good, patience)

    async def state(self, state: str, patience: float = 20.0) -> Any:
        """Wait for this state of the call; the call."""
        return (await self.until(state, lambda r: r["call"] and r["call"]["state"] == state, patience))["call"]

    async def hears(self, hz: int | None) -> None:
        """The other side's tone and little else, or silence (None)."""

        def good(heard: dict[str, float]) -> bool:
            if hz is None:
                return heard["level"] < -60
            return abs(heard["hz"] - hz) < 8 and heard["share"] > 0.7 and heard["level"] > -50

        await until(f"{self.jid} hears {hz} Hz", lambda: self.ask("hears"), good, 15)

    async def close(self) -> None:
        await self.ask("close")
        await self.page.close()


class WebUser(User):
    """A person at a page of the bridge."""

    @classmethod
    async def open(cls, browser: Browser, bridge: BridgeProcess, name: str, hz: int, *contacts: str, at: str = "") -> WebUser:
        """`at`: a page of another site, which the bridge allows."""
        user = cls(await browser.page(at or f"{bridge.url}/healthz"), hz)
        await user._load(script("media_page.js"), script("web_user.js"))
        user.full = await user.ask("connect", bridge.token(name, *contacts), bridge.url)
        return user

    async def frames(self, way: str, type: str, **fields: Any) -> list[dict[str, Any]]:
        """What went this way (in: from the bridge) so far."""
        return [f for f in await self.ask("frames") if (f["way"], f["type"]) == (way, type) and fields.items() <= f.items()]

    async def told(self, type: str, **fields: Any) -> dict[str, Any]:
        """Wait for this event of the bridge; the last one."""
        found = await until(f"{self.jid} is told {type} {fields}", lambda: self.frames("in", type, **fields), bool)
        return found[-1]  # type: ignore[no-any-return]

    async def knows(self, jid: str) -> None:
        """Wait until this contact is there and can be called."""

        def able(report: Any) -> bool:
            contact = report["contacts"].get(jid)
            return bool(contact and contact["presence"] == "available" and contact["media"]["video"])

        await self.until(f"{jid} is online", able)


class StanzaUser(User):
    """A person with stanza.js. `empty`: the address of an empty page."""

    @classmethod
    async def open(cls, browser: Browser, server: Ejabberd, name: str, hz: int, *, empty: str) -> StanzaUser:
        password = server.register(name)
        user = cls(await browser.page(empty), hz)
        # The bundle declares a global variable; everything else minds its own names.
        await user._load(f"{STANZAJS.read_text()}; globalThis.XMPP = XMPP", script("media_page.js"), script("stanza_user.js"))
        about = {"jid": f"{name}@{server.domain}", "password": password, "url": f"ws://{server.host}:{server.http}/ws"}
        user.full = await user.ask("connect", about)
        return user

    async def stanzas(self, way: str, action: str) -> list[ET.Element]:
        """The <jingle/> elements of this action that went this way so far."""
        texts = [x["text"] for x in await self.ask("xml") if x["way"] == way and "urn:xmpp:jingle:1" in x["text"]]
        found = [e for text in texts for e in ET.fromstring(text).iter(JINGLE)]
        return [e for e in found if e.get("action") == action]

    async def hears_of(self, event: str) -> None:
        """Wait for an event of stanza.js."""
        await self.until(event, lambda r: event in r["heard"])


async def flows(a: User, b: User, *, to_a: tuple[str, ...] = AV, to_b: tuple[str, ...] = AV) -> None:
    """Exactly these media arrive: packets of audio and decoded frames of video grow twice in a row, everything else stands still."""
    wanted = {a: set(to_a), b: set(to_b)}
    before: dict[User, Any] = {}
    good, moving = 0, {}
    for _ in range(50):
        now = {user: await user.ask("seen") for user in wanted}
        if before and all(now.values()):
            moving = {user: {kind for kind in AV if now[user][kind] > before[user][kind]} for user in wanted}
            connected = all(seen["state"] == "connected" for seen in now.values())
            good = good + 1 if connected and moving == wanted else 0
            if good == 2:
                return
        before = now if all(now.values()) else {}
        await asyncio.sleep(0.4)
    names = {user.jid: kinds for user, kinds in moving.items()}
    raise AssertionError(f"{to_a} to {a.jid} and {to_b} to {b.jid} wanted, moving: {names}, {list(before.values())}")


async def talk(a: User, b: User, *, video: bool = True) -> None:
    """Both hear the other's tone, and see pictures if this is a video call."""
    kinds = AV if video else ("audio",)
    await flows(a, b, to_a=kinds, to_b=kinds)
    await a.hears(b.hz)
    await b.hears(a.hz)
