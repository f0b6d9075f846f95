"""The bridge as a whole in this process, against a small component server: order of starting, of stopping, and what goes wrong."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jinglebridge.config import Admin, Config, Policy, Store, Tokens, Turn, Web, Xmpp
from jinglebridge.demo.lab import certificate, free_port
from jinglebridge.errors import OperatorError
from jinglebridge.jingle import plain
from jinglebridge.service import bridge as module
from jinglebridge.service import certificates
from jinglebridge.service.admin import AdminSocket, ask
from jinglebridge.service.bridge import Bridge
from jinglebridge.service.devices import Devices
from jinglebridge.store.sqlite import SqliteStore
from jinglebridge.web import messages as m
from jinglebridge.web import tokens
from jinglebridge.xmpp import caps, link, native
from tests.unit.fake_xmpp import FakeServer
from tests.unit.fakes import DOMAIN, logged, until

SECRET = "s" * 40
Make = Callable[..., Bridge]


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    fake = FakeServer()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def make(server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    monkeypatch.setattr(link, "NONCE_WAIT", 0.3)
    made: list[Bridge] = []

    def build(
        *, web: dict[str, Any] | None = None, with_web: bool = True, folder: Path = tmp_path / "store", native: bool = True, **xmpp: Any
    ) -> Bridge:
        config = Config(
            xmpp=Xmpp(**({"domain": DOMAIN, "secret": "x", "server": "im.test", "port": server.port, "start_timeout": 0.5} | xmpp)),
            web=Web(**({"listen": f"127.0.0.1:{free_port()}"} | (web or {}))),
            store=Store(path=str(folder)),
            policy=Policy(native=native),
            tokens=Tokens(secret=SECRET),
            turn=Turn(urls=["turn:t.test"], secret="turn-secret"),
            admin=Admin(socket=os.path.relpath(tmp_path / "a.sock")),  # short: a socket path has at most 107 bytes
        )
        made.append(Bridge(config, web=with_web))
        return made[-1]

    yield build
    for bridge in made:
        await bridge.stop()


def socket_of(bridge: Bridge) -> Path:
    return bridge.config.admin_socket


async def get(bridge: Bridge, path: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"http://{bridge.config.web.listen}{path}") as reply:
        return reply.status


async def test_start_and_stop(server: FakeServer, make: Make):
    bridge = make()
    await bridge.start()
    assert await get(bridge, "/readyz") == 200
    assert (await ask(socket_of(bridge), "status"))["ready"]
    await bridge.stop()
    assert bridge.stopped.is_set() and not socket_of(bridge).exists()
    await bridge.stop()


async def test_it_can_be_started_again_on_the_same_folder(make: Make):
    for _ in range(2):
        bridge = make()
        await bridge.start()
        await bridge.stop()


async def test_it_is_ready_when_commands_find_it(make: Make, monkeypatch: pytest.MonkeyPatch):
    """Scripts wait for `/readyz` and then ask `jinglebridge calls`."""
    begin = AdminSocket.start
    seen: list[int] = []

    async def start(self: AdminSocket) -> None:
        seen.append(await get(bridge, "/readyz"))
        await begin(self)

    monkeypatch.setattr(AdminSocket, "start", start)
    bridge = make()
    await bridge.start()
    assert [*seen, await get(bridge, "/readyz")] == [503, 200]


async def test_two_stops_at_once(make: Make):
    """A signal while `jinglebridge stop` is at work."""
    bridge = make()
    await bridge.start()
    await ask(socket_of(bridge), "stop")
    await asyncio.gather(bridge.stop(), bridge.stop(end_calls=True))
    assert bridge.stopped.is_set()


async def test_one_bridge_per_folder(make: Make):
    first = make()
    await first.start()
    with pytest.raises(OperatorError, match=r"another bridge is running with \[store\] path"):
        await make().start()
    assert await get(first, "/readyz") == 200


@pytest.mark.parametrize("kind", ["listen", "metrics"])
async def test_a_taken_port_is_found_before_the_server_hears_of_us(server: FakeServer, make: Make, kind: str):
    blocker = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
    port = blocker.sockets[0].getsockname()[1]
    with pytest.raises(OperatorError, match=rf"cannot listen on 127.0.0.1:{port}"):
        await make(web={kind: f"127.0.0.1:{port}"}).start()
    assert server.connected_at == []
    blocker.close()


async def test_after_a_failed_start_the_lock_is_free(server: FakeServer, make: Make):
    server.error = "host-unknown"
    failed = make()
    with pytest.raises(link.LinkError):
        await failed.start()
    await failed.stop()
    server.error = ""
    await make().start()


async def test_tls_files(make: Make, tmp_path: Path):
    with pytest.raises(OperatorError, match=r"\[web\] tls_cert .*none.pem"):
        await make(web={"tls_cert": "none.pem", "tls_key": "none.pem"}).start()


async def test_a_ca_that_is_not_there(make: Make, tmp_path: Path):
    with pytest.raises(OperatorError, match=r"\[xmpp\] tls_ca none.pem"):
        await make(tls=True, tls_ca="none.pem").start()


def rewrite(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)


async def test_a_renewed_certificate_is_taken_without_a_restart(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(certificates, "CHECK_EVERY", 0.02)
    names = {name: tmp_path / name for name in ("old", "new")}
    for folder in names.values():
        folder.mkdir()
        certificate(folder, ("localhost",))
    web = {"tls_cert": str(names["old"] / "crt.pem"), "tls_key": str(names["old"] / "key.pem")}
    renewed = {name: (names["new"] / name).read_bytes() for name in ("crt.pem", "key.pem")}
    bridge = make(web=web)
    await bridge.start()

    async def shown() -> bytes:
        import ssl

        context = ssl._create_unverified_context()
        host, port = bridge.config.web.listen.split(":")
        _, writer = await asyncio.open_connection(host, int(port), ssl=context)
        raw: bytes = writer.get_extra_info("ssl_object").getpeercert(True)
        writer.close()
        await writer.wait_closed()
        return raw

    before = await shown()
    with logged() as lines:
        rewrite(web["tls_cert"], b"half written")
        await until(lambda: any(line["event"] == "certificate-not-reloaded" for line in lines))
        assert await shown() == before
        for name, key in (("key.pem", "tls_key"), ("crt.pem", "tls_cert")):
            rewrite(web[key], renewed[name])
        await until(lambda: any(line["event"] == "certificate-reloaded" for line in lines))
    assert await shown() != before


async def page(bridge: Bridge, session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
    socket = await session.ws_connect(f"http://{bridge.config.web.listen}/ws", protocols=(m.PROTOCOL,))
    token = tokens.create(SECRET, "anna", DOMAIN, contacts=["bob@im.test"])
    await socket.send_json({"type": "hello", "id": "h", "version": 1, "token": token})
    assert (await socket.receive_json())["type"] == "welcome"
    return socket


async def test_pages_hear_that_it_stops_and_their_presence_leaves(server: FakeServer, make: Make):
    bridge = make()
    await bridge.start()
    async with aiohttp.ClientSession() as session:
        socket = await page(bridge, session)
        server.inject(f"<presence type='subscribe' from='bob@im.test' to='anna@{DOMAIN}'/>")
        await until(lambda: any(e.get("type") == "subscribed" for e in server.stanzas))

        async def listen() -> list[str]:
            return [json.loads(message.data)["type"] async for message in socket if message.type is aiohttp.WSMsgType.TEXT]

        listening = asyncio.create_task(listen())
        await bridge.stop()
        kinds = await listening
        assert kinds[-1] == "draining" and socket.close_code == 1001
    await until(lambda: any(e.get("type") == "unavailable" and e.get("to") == "bob@im.test" for e in server.stanzas))


async def test_after_a_crash_of_the_server_everybody_is_announced_again(server: FakeServer, make: Make):
    bridge = make()
    await bridge.start()
    async with aiohttp.ClientSession() as session:
        socket = await page(bridge, session)
        server.inject(f"<presence type='subscribe' from='bob@im.test' to='anna@{DOMAIN}'/>")
        await until(lambda: any(e.get("type") == "subscribed" for e in server.stanzas))
        server.stanzas.clear()
        server.drop()
        await until(lambda: not bridge.link.ready)
        assert await get(bridge, "/readyz") == 503 and await get(bridge, "/healthz") == 200
        await until(lambda: bridge.link.ready)
        shown = await until(lambda: [e for e in server.stanzas if e.tag.endswith("presence") and not e.get("type")])
        assert [e.get("to") for e in shown] == ["bob@im.test"] and re.fullmatch(rf"anna@{DOMAIN}/w-.*", shown[0].get("from", ""))
        await socket.close()


async def test_without_its_web_side(make: Make):
    bridge = make(with_web=False)
    await bridge.start()
    with pytest.raises(aiohttp.ClientConnectorError):
        await get(bridge, "/healthz")
    assert bridge.link.ready


async def test_metrics(make: Make):
    port = free_port()
    bridge = make(web={"metrics": f"127.0.0.1:{port}"})
    await bridge.start()
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as reply:
        text = await reply.text()
    assert "jinglebridge_xmpp_ready 1.0" in text and "jinglebridge_calls_live 0.0" in text


async def test_the_sweeper_forgets(make: Make, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "SWEEP_EVERY", 0.01)
    bridge = make(with_web=False)
    await bridge.start()
    bridge.registry._ended["a", "b", "c"] = 0.0
    plain._around("<jingle><content><transport>")  # holds credentials
    await until(lambda: bridge.registry._ended == {} and plain._around.cache_info().currsize == 0)


async def test_a_device_that_was_signed_out_while_no_bridge_ran(make: Make, tmp_path: Path):
    """Its page cannot come back: neither by the resume secret nor by the credential."""
    first = make()
    await first.start()
    made = [await ask(socket_of(first), "device-create", name=name) for name in ("anna", "bob")]
    resume = []
    async with aiohttp.ClientSession() as session:
        for device in made:
            socket = await session.ws_connect(f"http://{first.config.web.listen}/ws", protocols=(m.PROTOCOL,))
            await socket.send_json({"type": "hello", "id": "h", "version": 1, "device": device["credential"]})
            resume.append((await socket.receive_json())["resume"])
    await first.stop()
    store = SqliteStore(tmp_path / "store" / "jinglebridge.db")
    assert Devices(store, DOMAIN, time.time).revoke(made[0]["id"])
    store.close()
    second = make()
    await second.start()
    answers = []
    async with aiohttp.ClientSession() as session:
        for way in ({"device": made[0]["credential"]}, *({"resume": {"secret": secret, "lastSeq": 0}} for secret in resume)):
            socket = await session.ws_connect(f"http://{second.config.web.listen}/ws", protocols=(m.PROTOCOL,))
            await socket.send_json({"type": "hello", "id": "h", "version": 1, **way})
            answers.append((await socket.receive_json()).get("code", "let in"))
    assert answers == ["not-authorized", "not-authorized", "let in"]


async def say(server: FakeServer, text: str) -> str:
    """Somebody at im.test sends this to the bridge's domain; what comes back, as text."""
    server.stanzas.clear()
    server.inject(f"<iq type='set' id='q1' from='anna@im.test/web' to='{DOMAIN}'>{text}</iq>")
    answer = await until(lambda: next((e for e in server.stanzas if e.get("id") == "q1"), None))
    return "".join(answer.itertext()) or str(answer[0][0].tag)


async def announced(server: FakeServer) -> bool:
    server.stanzas.clear()
    server.inject(f"<iq type='get' id='d1' from='eve@evil.test/x' to='{DOMAIN}'><query xmlns='{caps.INFO}'/></iq>")
    answer = await until(lambda: next((e for e in server.stanzas if e.get("id") == "d1"), None))
    return native.NS in [e.get("var") for e in answer.iter()]


async def test_pages_with_a_connection_of_their_own(server: FakeServer, make: Make):
    """They are let in, told of a stop and of a lost connection, and kept out after a change of the policy."""
    first = make()
    await first.start()
    assert await announced(server)
    hello = f"<frame xmlns='{native.NS}'>{{}}</frame>".format
    welcome = json.loads(await say(server, hello('{"type":"hello","id":"h","version":1}')))
    (session,) = first.sessions.by_jid.values()
    assert session.jid == welcome["jid"] and session.wire is not None
    server.drop()
    await until(lambda: session.wire is None)
    await until(lambda: first.link.ready)
    resume = json.dumps({"type": "hello", "id": "h", "version": 1, "resume": {"secret": welcome["resume"], "lastSeq": 0}})
    welcome = json.loads(await say(server, hello(resume)))
    assert welcome["resumed"] and welcome["jid"] == session.jid
    await first.stop()
    told = [e[0].text or e[0].get("code") for e in server.stanzas if e.get("to") == "anna@im.test/web" and e.get("type") == "set"]
    assert ['"draining"' in str(text) for text in told] == [True, False] and server.stanzas[-1] is not None
    assert [e[0].get("code") for e in server.stanzas if len(e) and e[0].tag == f"{{{native.NS}}}close"] == ["1001"]
    second = make(native=False)
    await second.start()
    assert second.sessions.by_jid == {} and not await announced(server)
    assert (await say(server, hello(resume))).endswith("service-unavailable")


async def test_a_restart_keeps_pages_with_a_connection_of_their_own(server: FakeServer, make: Make):
    first = make()
    await first.start()
    hello = f"<frame xmlns='{native.NS}'>{{}}</frame>".format
    welcome = json.loads(await say(server, hello('{"type":"hello","id":"h","version":1}')))
    await first.stop()
    second = make()
    await second.start()
    resume = json.dumps({"type": "hello", "id": "h", "version": 1, "resume": {"secret": welcome["resume"], "lastSeq": 0}})
    again = json.loads(await say(server, hello(resume)))
    assert again["jid"] == welcome["jid"] and not again["resumed"]
