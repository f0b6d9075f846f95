"""A web chat with strophe.js calls and is called by its own XMPP connection: real browsers, real ejabberd, the examples of the how-to."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
import pytest_asyncio
from aiohttp import web

from jinglebridge.demo.handset import Handset
from jinglebridge.demo.lab import Ejabberd, Prosody
from jinglebridge.schemas import validate
from jinglebridge.xmpp import native

from .bridge import BridgeProcess, wait_for
from .raw import RawXmpp
from .rtc import Browser, Browsers
from .servers import HandsetFactory, unique_user
from .test_contact import hears, two_tones
from .users import User, script

pytestmark = pytest.mark.asyncio(loop_scope="module")
TONES = two_tones()
ROOT = Path(__file__).parents[2]
STROPHE = Path(__file__).parent / "strophejs/node_modules/strophe.js/dist/strophe.umd.min.js"
GUIDE = (ROOT / "docs/how-to/xmpp-page.md").read_text()
EXAMPLES = dict(re.findall(r"^<!-- file: ([\w.-]+) -->\n```js\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE))
EVE = unique_user("eve")
FRAME = f"{{{native.NS}}}frame"
in_both = pytest.mark.parametrize("browser", ["chromium", pytest.param("firefox", marks=pytest.mark.long)])


@pytest.fixture(scope="module")
def bridge(ejabberd: Ejabberd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    policy = {"outgoing": "servers", "blocked": [f"{EVE}@{ejabberd.domain}"]}
    bridge = BridgeProcess(tmp_path_factory.mktemp("bridge"), ejabberd, policy=policy, limits={"linger": 1.0, "resume": 5.0})
    yield bridge
    bridge.close()


def escaped(jid: str, domain: str) -> str:
    return jid.replace("@", "\\40") + f"@{domain}"


class Chat:
    """The site of a web chat, with copies of the modules: its pages never speak to the bridge themselves."""

    def __init__(self, browsers: Browsers, bridge: BridgeProcess, server: Ejabberd) -> None:
        self.browsers, self.bridge, self.server = browsers, bridge, server
        self.domain = server.component
        self.stack = AsyncExitStack()

    async def user(self, browser: str = "chromium") -> ChatUser:
        """Speaks the first tone."""
        user = await ChatUser.open(self, await self.browsers.browser(browser), unique_user("anna"), TONES[0])
        self.stack.push_async_callback(user.close)
        return user


class ChatUser(User):
    """A person at a page of the chat; see strophe_page.js."""

    about: dict[str, str]
    chat: Chat

    @classmethod
    async def open(cls, chat: Chat, browser: Browser, name: str, hz: int) -> ChatUser:
        user, server = cls(await browser.page(), hz), chat.server
        user.chat = chat
        await user._load(script("media_page.js"), script("strophe_page.js"))
        password = server.register(name)
        user.about = {"jid": f"{name}@{server.domain}", "password": password, "url": f"ws://{server.host}:{server.http}/ws"}
        user.full = await user.ask("connect", user.about)
        return user

    @property
    def own(self) -> str:
        """Where this person is called, and calls from."""
        return escaped(self.jid, self.chat.domain)

    async def frames(self, way: str) -> list[ET.Element]:
        """IQs with something of our namespace that went this way; all of it is valid."""
        texts = [s["text"] for s in await self.ask("stanzas") if s["way"] == way and native.NS in s["text"]]
        iqs = [ET.fromstring(text) for text in texts]
        for iq in iqs:
            for element in iq.iter():
                assert not element.tag.startswith(f"{{{native.NS}}}") or validate(element) == []
        return iqs


def app(domain: str) -> web.Application:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text='<!doctype html><title>chat</title><script src="/strophe.js"></script>', content_type="text/html")

    async def example(request: web.Request) -> web.Response:
        text = EXAMPLES.get(request.match_info["name"], "")
        text = text.replace("https://call.example.org/client/", "/client/").replace("call.example.org", domain)
        return web.Response(text=text, content_type="text/javascript")

    async def strophe(_: web.Request) -> web.Response:
        return web.Response(body=STROPHE.read_bytes(), content_type="text/javascript")

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/strophe.js", strophe)
    app.router.add_static("/client", ROOT / "client")
    app.router.add_get("/{name}", example)
    return app


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_chat(bridge: BridgeProcess, ejabberd: Ejabberd, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Chat]:
    if not STROPHE.is_file():
        text = "strophe.js is not installed: run scripts/test, or `npm ci` in tests/interop/strophejs"
        pytest.fail(text) if "CI" in os.environ else pytest.skip(text)
    runner = web.AppRunner(app(ejabberd.component))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with AsyncExitStack() as stack:
            folder, url = tmp_path_factory.mktemp("firefox"), f"http://localhost:{runner.addresses[0][1]}/"
            yield Chat(Browsers(stack, folder, url), bridge, ejabberd)
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="module")
async def chat(open_chat: Chat) -> AsyncIterator[Chat]:
    async with open_chat.stack:
        yield open_chat


async def in_thread(call: Any, *arguments: Any, **more: Any) -> Any:
    """A handset is synchronous, and the page must go on meanwhile."""
    return await asyncio.to_thread(call, *arguments, **more)


@in_both
async def test_a_chat_calls_and_is_called(chat: Chat, handset: HandsetFactory, browser: str) -> None:
    """With the modules: both ways, each hears the other's tone, either hangs up. Not one connection but the chat's own."""
    anna = await chat.user(browser)
    assert (await anna.ask("start")).startswith(f"{anna.own}/w-")
    bob = await in_thread(handset, chat.server, unique_user("bob"), "--tone", str(TONES[1]))
    await anna.ask("call", bob.jid)
    await anna.state("connected")
    await anna.hears(TONES[1])
    await in_thread(bob.until, hears(TONES[0]))
    caller = (await in_thread(bob.report))["call"]
    assert caller["peer"].startswith(f"{anna.own}/w-"), caller
    await anna.ask("hangUp")
    assert (await in_thread(bob.wait, "ended"))["reason"] == "peer: success"

    await anna.page.run("void (globalThis.confirm = () => true)")
    await in_thread(bob.send, "call", to=anna.own, media=["audio"])
    await anna.state("connected")
    await anna.hears(TONES[1])
    await in_thread(bob.until, hears(TONES[0]))
    await in_thread(bob.send, "hangup")
    ended = await anna.until("ended", lambda r: r["calls"] == 0 and r["call"]["state"] == "ended")
    assert (ended["call"]["reason"], ended["problems"]) == ("ended", [])
    assert await in_thread(lambda: bob.report()["violations"]) == []

    entries = await anna.page.run("performance.getEntries().map((entry) => entry.name)")
    assert not [name for name in entries if f":{chat.bridge.port}" in name], "the page never spoke to the bridge itself"
    events = {iq.get("id") for iq in await anna.frames("in") if iq.get("type") == "set"}
    sent = [ET.fromstring(stanza["text"]) for stanza in await anna.ask("stanzas") if stanza["way"] == "out"]
    assert events and events <= {iq.get("id") for iq in sent if iq.get("type") == "result"}, "each was acknowledged"
    assert await anna.frames("out")


@in_both
async def test_a_call_by_hand(chat: Chat, handset: HandsetFactory, browser: str) -> None:
    """Without the modules: an SDP in an IQ, and what comes back."""
    anna = await chat.user(browser)
    bob = await in_thread(handset, chat.server, unique_user("bob"), "--tone", str(TONES[1]))
    await anna.ask("callByHand", chat.domain, bob.jid)
    await anna.until("connected", lambda r: r["byHand"] == "connected")
    await anna.hears(TONES[1])
    await in_thread(bob.until, hears(TONES[0]))
    await anna.ask("hangUp")
    assert (await in_thread(bob.wait, "ended"))["reason"] == "peer: success"
    await anna.until("closed", lambda r: r["byHand"] == "closed")
    assert (await anna.ask("refusedByHand", chat.domain, "eve@evil.example"))["code"] == "bad-description"


async def in_call(chat: Chat, handset: HandsetFactory, browser: str = "chromium") -> tuple[ChatUser, Handset]:
    anna = await chat.user(browser)
    await anna.ask("start")
    bob = await in_thread(handset, chat.server, unique_user("bob"), "--tone", str(TONES[1]))
    await anna.ask("call", bob.jid)
    await anna.state("connected")
    await anna.hears(TONES[1])
    return anna, bob


async def goes_on(anna: ChatUser, bob: Handset) -> None:
    """Both are heard still, and hanging up reaches the other side."""
    await anna.hears(TONES[1])
    await in_thread(bob.until, hears(TONES[0]))
    await anna.ask("hangUp")
    assert (await in_thread(bob.wait, "ended"))["reason"] == "peer: success"
    assert (await anna.ask("report"))["problems"] == []


@in_both
async def test_the_connection_of_the_chat_breaks_in_a_call(chat: Chat, handset: HandsetFactory, browser: str) -> None:
    """And comes back with another resource: the session is resumed, what happened meanwhile is told, the call goes on."""
    anna, bob = await in_call(chat, handset, browser)
    before = anna.full
    await anna.ask("vanish")
    left = f'"jid": "{before}", "why": "unavailable"'
    await in_thread(wait_for, "the server says that she is gone", lambda: left in chat.bridge.log())
    await anna.until("noticed", lambda r: "reconnecting" in r["connections"], 15)
    await in_thread(bob.send, "mute")
    anna.full = await anna.ask("connect", anna.about)
    await anna.until("resumed", lambda r: r["connections"][-1] == "online")
    assert anna.full != before and (await anna.ask("report"))["calls"] == 1
    await in_thread(bob.send, "unmute")
    await goes_on(anna, bob)


@pytest.mark.long
async def test_a_bridge_that_is_killed_in_a_call(chat: Chat, handset: HandsetFactory) -> None:
    anna, bob = await in_call(chat, handset)
    await in_thread(chat.bridge.signal, signal.SIGKILL)
    await anna.page.run("void user.mute(true)")  # finds nobody, and is kept
    await anna.until("noticed", lambda r: "reconnecting" in r["connections"])
    await in_thread(chat.bridge.start)
    await anna.until("resumed", lambda r: r["connections"][-1] == "online", 30)
    await in_thread(bob.wait, "info", info="mute")
    await anna.ask("mute", False)
    await goes_on(anna, bob)


@pytest.mark.long
async def test_a_page_that_does_not_come_back(chat: Chat, handset: HandsetFactory) -> None:
    """Its call ends when the time to resume is over, and not before."""
    anna, bob = await in_call(chat, handset)
    await anna.ask("vanish")
    began = asyncio.get_running_loop().time()
    ended = await in_thread(bob.wait, "ended", timeout=20)
    assert ended["reason"] == "peer: gone" and asyncio.get_running_loop().time() - began > 4


async def test_who_may_not(chat: Chat) -> None:
    """Somebody else's session stays theirs, and who is blocked sees no more than of a namespace that nobody knows."""
    anna = await chat.user()
    await anna.ask("start")
    resume = await anna.page.run("user.resume()")
    hello = {"type": "hello", "id": "h", "version": 1}
    with RawXmpp(chat.server, unique_user("mallory")) as mallory, RawXmpp(chat.server, EVE) as eve:

        def told(who: RawXmpp, ns: str, **frame: Any) -> ET.Element:
            text = escape(json.dumps(hello | frame))
            reply = who.ask(f"<frame xmlns='{ns}'>{text}</frame>", to=chat.domain)
            reply.attrib.pop("id")
            return reply

        welcome = json.loads(told(mallory, native.NS, resume=resume).findtext(FRAME) or "")
        assert welcome["jid"].startswith(escaped(mallory.jid, chat.domain)) and not welcome["resumed"] and welcome["calls"] == []
        assert ET.tostring(told(eve, native.NS)).replace(native.NS.encode(), b"urn:x") == ET.tostring(told(eve, "urn:x"))
    assert (await anna.ask("report"))["state"] == "online"


@pytest.mark.long
async def test_prosody_does_it_too(prosody: Prosody, tmp_path: Path) -> None:
    """Who somebody is, events with their answers, and the word of the server that a page is gone which never said so."""
    bridge = BridgeProcess(tmp_path, prosody)
    try:
        with RawXmpp(prosody, unique_user("anna")) as anna:
            anna.send(f"<presence to='{prosody.component}'/>")
            hello = json.dumps({"type": "hello", "id": "h", "version": 1})
            reply = anna.ask(f"<frame xmlns='{native.NS}'>{hello}</frame>", to=prosody.component)
            assert json.loads(reply.findtext(FRAME) or "")["jid"].startswith(f"{escaped(anna.jid, prosody.component)}/w-")
            anna.socket.shutdown(socket.SHUT_RDWR)
            await in_thread(wait_for, "the bridge knows that she is gone", lambda: '"why": "unavailable"' in bridge.log())
    finally:
        bridge.close()
