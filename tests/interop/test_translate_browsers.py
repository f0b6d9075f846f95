"""Real browsers talk through `jinglebridge translate --stream`: every offer, answer and candidate passes it as Jingle text."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from .rtc import AiortcPeer, Browsers, Peer, empty_page

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Every stanza that travels is held against the schemas; one that is not valid is an error of its message.
BOTH = {"default": ("--validate",), "extensions": ("--validate", "--extensions")}
AV = ("audio", "video")
AVD = (*AV, "data")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browsers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browsers]:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(empty_page())
        yield Browsers(stack, tmp_path_factory.mktemp("firefox"), url)


class Call:
    """Two peers, and the translator between them. A is the Jingle initiator."""

    def __init__(self, translator: asyncio.subprocess.Process, a: Peer | AiortcPeer, b: Peer | AiortcPeer) -> None:
        self._translator = translator
        self.peers = {"a2b": a, "b2a": b}
        self.delivered: list[str] = []

    async def add(self, side: str, *kinds: str) -> None:
        for kind in kinds:
            await self.peers[side].ask("add", kind)

    async def through(self, direction: str, kind: str, **what: Any) -> dict[str, Any]:
        """What the translator makes of one message."""
        assert self._translator.stdin is not None and self._translator.stdout is not None
        message = {"id": 1, "call": "test", "dir": direction, "kind": kind, "round": 1, **what}
        self._translator.stdin.write(json.dumps(message).encode() + b"\n")
        reply: dict[str, Any] = json.loads(await asyncio.wait_for(self._translator.stdout.readline(), 20))
        assert "error" not in reply, (message, reply)
        return reply

    async def negotiate(self, by: str = "a2b", **options: Any) -> None:
        """One offer and its answer. `delivered` has both as they arrived."""
        back = "b2a" if by == "a2b" else "a2b"
        offer = (await self.through(by, "offer", sdp=await self.peers[by].ask("offer", options)))["sdp"]
        answer = (await self.through(back, "answer", sdp=await self.peers[back].ask("answer", offer)))["sdp"]
        await self.peers[by].ask("accept", answer)
        self.delivered = [offer, answer]

    async def trickle(self) -> None:
        """Whatever candidates both sides have found meanwhile."""
        for direction, other in (("a2b", self.peers["b2a"]), ("b2a", self.peers["a2b"])):
            for candidate in await self.peers[direction].ask("take"):
                if candidate is None:
                    await self.through(direction, "end")
                    continue
                got = (await self.through(direction, "candidate", candidate=candidate))["candidate"]
                if got is not None and (got["candidate"] or isinstance(other, Peer)):
                    await other.ask("candidate", got)

    async def flows(self, a2b: tuple[str, ...] = AV, b2a: tuple[str, ...] = AV) -> None:
        """Exactly these media arrive: packets of audio and decoded frames of video grow twice in a row, everything else stands still."""
        wanted = {"a2b": set(a2b), "b2a": set(b2a)}
        good, before, moving = 0, await self._seen(), {}
        for _ in range(40):
            await self.trickle()
            await asyncio.sleep(0.4)
            now = await self._seen()
            moving = {way: {kind for kind in AV if now[way][kind] > before[way][kind]} for way in wanted}
            connected = all(seen["state"] == "connected" for seen in now.values())
            good = good + 1 if connected and moving == wanted else 0
            if good == 2:
                return
            before = now
        raise AssertionError(f"{wanted} wanted, moving: {moving}, {before}")

    async def _seen(self) -> dict[str, dict[str, Any]]:
        """What has arrived, by the direction in which it went."""
        return {"a2b": await self.peers["b2a"].ask("seen"), "b2a": await self.peers["a2b"].ask("seen")}

    async def echoes(self) -> None:
        """The data channel carries messages of both sides, and back."""
        for name, peer in self.peers.items():
            assert await peer.ask("echo", f"hello from {name}"), name


@asynccontextmanager
async def calling(browsers: Browsers, pair: str, *options: str) -> AsyncIterator[Call]:
    translator = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jinglebridge", "translate", "--stream", *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    async with AsyncExitStack() as stack:
        peers = []
        for name in pair.split(","):
            peers.append(await browsers.peer(name))
            stack.push_async_callback(peers[-1].close)
        try:
            yield Call(translator, *peers)
        finally:
            assert translator.stdin is not None
            translator.stdin.close()
            assert await asyncio.wait_for(translator.wait(), 10) == 0


def ufrags(sdp: str) -> set[str]:
    return set(re.findall(r"a=ice-ufrag:(\S+)", sdp))


@pytest.mark.parametrize("mode", BOTH)
@pytest.mark.parametrize("pair", ["chromium,chromium", "firefox,chromium", "chromium,firefox"])
async def test_audio_video_and_data(browsers: Browsers, pair: str, mode: str) -> None:
    async with calling(browsers, pair, *BOTH[mode]) as call:
        await call.add("a2b", *AVD)
        await call.negotiate()
        await call.flows()
        await call.echoes()


@pytest.mark.parametrize("mode", BOTH)
async def test_a_browser_and_aiortc(browsers: Browsers, mode: str) -> None:
    async with calling(browsers, "chromium,aiortc", *BOTH[mode]) as call:
        await call.add("a2b", *AV)
        await call.negotiate()
        await call.flows()


@pytest.mark.parametrize("by", ["a2b", pytest.param("b2a", marks=pytest.mark.long)])
@pytest.mark.parametrize(
    "pair", ["chromium,chromium", *(pytest.param(pair, marks=pytest.mark.long) for pair in ("firefox,chromium", "chromium,firefox"))]
)
async def test_hold_and_resume(browsers: Browsers, pair: str, by: str) -> None:
    """Who holds goes on to send, as XEP-0167 §8.2 has it for music on hold; the other is silent."""
    async with calling(browsers, pair) as call:
        await call.add("a2b", *AV)
        await call.negotiate()
        await call.flows()
        await call.peers[by].ask("direct", "sendonly")
        await call.negotiate(by)
        await call.flows(**({"b2a": ()} if by == "a2b" else {"a2b": ()}))
        for peer in call.peers.values():
            await peer.ask("direct", "sendrecv")
        await call.negotiate(by)
        await call.flows()


@pytest.mark.parametrize("by", ["a2b", "b2a"])
async def test_video_is_added_later(browsers: Browsers, by: str) -> None:
    async with calling(browsers, "chromium,chromium") as call:
        await call.add("a2b", "audio")
        await call.negotiate()
        await call.flows(("audio",), ("audio",))
        await call.add(by, "video")
        await call.negotiate(by)
        await call.flows()


# With nothing in between, Chromium refuses the answer of Firefox to its restart.
LONG_RESTARTS = (("chromium,chromium", "b2a"), ("firefox,chromium", "a2b"), ("firefox,chromium", "b2a"))
RESTARTS = [("chromium,chromium", "a2b"), *(pytest.param(*item, marks=pytest.mark.long) for item in LONG_RESTARTS)]


@pytest.mark.parametrize(("pair", "by"), RESTARTS)
async def test_an_ice_restart_brings_new_credentials_to_both(browsers: Browsers, pair: str, by: str) -> None:
    async with calling(browsers, pair) as call:
        await call.add("a2b", *AV)
        await call.negotiate()
        before = {ufrag for sdp in call.delivered for ufrag in ufrags(sdp)}
        await call.flows()
        await call.negotiate(by, iceRestart=True)
        after = [ufrags(sdp) for sdp in call.delivered]
        assert all(after) and not before & set.union(*after)
        await call.flows()


async def test_simulcast_keeps_its_lines_with_extensions(browsers: Browsers) -> None:
    """And a browser takes the offer. Without extensions one stream is left."""
    encodings = [{"rid": rid, "scaleResolutionDownBy": scale} for rid, scale in (("q", 4), ("h", 2), ("f", 1))]
    for mode, options in BOTH.items():
        async with calling(browsers, "chromium,chromium", *options) as call:
            await call.peers["a2b"].ask("add", "video", {"direction": "sendonly", "sendEncodings": encodings})
            await call.negotiate()
            lines = set(call.delivered[0].split("\r\n"))
            kept = {"a=rid:q send", "a=rid:h send", "a=rid:f send", "a=simulcast:send q;h;f"} & lines
            assert len(kept) == (4 if mode == "extensions" else 0)
            await call.flows(("video",), ())
