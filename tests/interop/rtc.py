"""Real peer connections for the tests of the translator: Chromium by Playwright, Firefox by WebDriver BiDi, aiortc in this process."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

from aiohttp import ClientSession, TCPConnector, WSMsgType, web
from aiortc import RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, MediaStreamTrack
from aiortc.sdp import candidate_from_sdp
from playwright.async_api import async_playwright

from .browser import CHROMIUM, FLAGS

FIREFOX = "/usr/bin/firefox-esr"
PAGE = Path(__file__).with_name("rtc_page.js").read_text()
PREFERENCES = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "media.cubeb.force_mock_context": True,  # Web Audio runs without a sound card
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.gmp-manager.updateEnabled": False,
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}


class Page(Protocol):
    """An open page that runs JavaScript. `touch`: the person presses somewhere, without which a browser shares no screen."""

    async def run(self, expression: str) -> Any: ...
    async def touch(self) -> None: ...
    async def close(self) -> None: ...


class Browser(Protocol):
    """`page` opens an empty page, or the one at `url`."""

    async def page(self, url: str = "") -> Page: ...


class Peer:
    """One peer connection in a page of its own; see rtc_page.js."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @classmethod
    async def open(cls, browser: Browser) -> Peer:
        page = await browser.page()
        await page.run(f"void (() => {{ {PAGE} }})()")
        return cls(page)

    async def ask(self, name: str, *arguments: Any) -> Any:
        return await self.page.run(f"peer.{name}({', '.join(map(json.dumps, arguments))})")

    async def close(self) -> None:
        await self.ask("close")
        await self.page.close()


class AiortcPeer:
    """The same questions, answered by aiortc. It does not trickle."""

    def __init__(self) -> None:
        self.connection = RTCPeerConnection()
        self.counts = {"audio": 0, "video": 0}
        self.tasks: set[asyncio.Task[None]] = set()
        self.connection.on("track", lambda track: self.tasks.add(asyncio.create_task(self._count(track))))

    async def _count(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                await track.recv()
                self.counts[track.kind] += 1

    async def ask(self, name: str, *arguments: Any) -> Any:
        match name, arguments:
            case "answer", (sdp,):
                await self.connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
                for transceiver in self.connection.getTransceivers():
                    self.connection.addTrack(AudioStreamTrack() if transceiver.kind == "audio" else VideoStreamTrack())
                await self.connection.setLocalDescription(await self.connection.createAnswer())
                return self.connection.localDescription.sdp
            case "candidate", (init,):
                candidate = candidate_from_sdp(init["candidate"].removeprefix("candidate:"))
                candidate.sdpMid, candidate.sdpMLineIndex = init["sdpMid"], init["sdpMLineIndex"]
                await self.connection.addIceCandidate(candidate)
                return None
            case "take", ():
                return []
            case "seen", ():
                return {"state": self.connection.connectionState} | self.counts
        raise AssertionError(f"aiortc is not asked for {name}")

    async def close(self) -> None:
        await self.connection.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def empty_page() -> AsyncIterator[str]:
    """URL of a page with nothing on it: media devices need a secure origin."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>test</title>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://localhost:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


class _ChromiumPage:
    def __init__(self, page: Any) -> None:
        self._page = page

    async def run(self, expression: str) -> Any:
        return await self._page.evaluate(expression)

    async def touch(self) -> None:
        await self._page.mouse.click(5, 5)

    async def close(self) -> None:
        await self._page.close()


class Chromium:
    """Pages of one headless Chromium."""

    def __init__(self, context: Any, url: str) -> None:
        self._context, self._url = context, url

    async def page(self, url: str = "") -> Page:
        page = await self._context.new_page()
        await page.goto(url or self._url)
        return _ChromiumPage(page)


@contextlib.asynccontextmanager
async def chromium(url: str, *flags: str, program: str = CHROMIUM) -> AsyncIterator[Chromium]:
    """`program`: that starts it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=[*FLAGS, *flags])
        context = await browser.new_context(permissions=["camera", "microphone"])
        try:
            yield Chromium(context, url)
        finally:
            await browser.close()


class _FirefoxPage:
    def __init__(self, firefox: Firefox, context: str) -> None:
        self._firefox, self._context = firefox, context

    async def run(self, expression: str) -> Any:
        result = await self._firefox.command(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({expression})) ?? 'null')()",
            target={"context": self._context},
            awaitPromise=True,
        )
        assert result["type"] == "success", result["exceptionDetails"]["text"]
        return json.loads(result["result"]["value"])

    async def touch(self) -> None:
        await self._firefox.command("browsingContext.activate", context=self._context)
        place = {"type": "pointerMove", "x": 5, "y": 5}
        press = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        actions = [{"type": "pointer", "id": "mouse", "actions": [place, *press]}]
        await self._firefox.command("input.performActions", context=self._context, actions=actions)

    async def close(self) -> None:
        await self._firefox.command("browsingContext.close", context=self._context)


class Firefox:
    """Tabs of one headless Firefox. Spec: W3C WebDriver BiDi."""

    def __init__(self, socket: Any, url: str, pid: int) -> None:
        self._socket, self._url, self.pid = socket, url, pid
        self._ids = itertools.count(1)

    async def command(self, method: str, **parameters: Any) -> Any:
        """One command and its result; events in between are left aside."""
        id = next(self._ids)
        await self._socket.send_json({"id": id, "method": method, "params": parameters})
        while True:
            message = await self._socket.receive(timeout=60)
            assert message.type is WSMsgType.TEXT, message
            reply = json.loads(message.data)
            if reply.get("id") == id:
                assert reply["type"] == "success", reply
                return reply["result"]

    async def page(self, url: str = "") -> Page:
        context = (await self.command("browsingContext.create", type="tab"))["context"]
        await self.command("browsingContext.navigate", context=context, url=url or self._url, wait="complete")
        return _FirefoxPage(self, context)


@contextlib.asynccontextmanager
async def firefox(
    url: str,
    profile: Path,
    display: str = "",
    *,
    flags: tuple[str, ...] = (),
    program: str = FIREFOX,
    socket_factory: Callable[[Any], socket.socket] | None = None,
    preferences: dict[str, Any] | None = None,
) -> AsyncIterator[Firefox]:
    """`display`: an X server with a screen to share; without one there is none. `program`: that starts it; `socket_factory` makes the
    socket to it, where it is in another network."""
    lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in (PREFERENCES | (preferences or {})).items())
    (profile / "user.js").write_text("".join(lines))
    command = (
        program,
        *(() if display else ("--headless",)),
        *flags,
        "--no-remote",
        "--profile",
        str(profile),
        "--remote-debugging-port=0",
        "about:blank",
    )
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | ({"DISPLAY": display} if display else {}),
    )
    assert process.stderr is not None
    reading: asyncio.Task[bytes] | None = None
    try:
        address = None
        while address is None:
            line = await asyncio.wait_for(process.stderr.readline(), 60)
            assert line, "Firefox ended before it listened"
            address = re.search(rb"WebDriver BiDi listening on (ws://\S+)", line)
        reading = asyncio.create_task(process.stderr.read())
        connector = TCPConnector(socket_factory=socket_factory)
        url_of_control = f"{address[1].decode()}/session"
        async with ClientSession(connector=connector) as session, session.ws_connect(url_of_control, max_msg_size=0) as control:
            browser = Firefox(control, url, process.pid)
            await browser.command("session.new", capabilities={})
            yield browser
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        if reading is not None:
            await reading


class Browsers:
    """Both browsers, each started when first asked for. `url`: where their pages open; `folder`: for profiles; `display`: of Firefox."""

    def __init__(self, stack: AsyncExitStack, folder: Path, url: str, display: str = "") -> None:
        self._stack, self._folder, self._url, self._display = stack, folder, url, display
        self._running: dict[str, Browser] = {}

    async def peer(self, name: str) -> Peer | AiortcPeer:
        if name == "aiortc":
            return AiortcPeer()
        return await Peer.open(await self.browser(name))

    async def browser(self, name: str) -> Browser:
        if name not in self._running:
            start = chromium(self._url) if name == "chromium" else firefox(self._url, self._folder, self._display)
            self._running[name] = await self._stack.enter_async_context(start)
        return self._running[name]
