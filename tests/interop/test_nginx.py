"""The bridge behind nginx, run with exactly the file that operators copy."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from playwright.sync_api import sync_playwright

from jinglebridge.demo.lab import Ejabberd, Nginx

from .bridge import BridgeProcess
from .browser import person
from .raw import RawStream
from .servers import HandsetFactory, unique_user

PER_IP = 6


@pytest.fixture(scope="module")
def behind_nginx(ejabberd: Ejabberd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BridgeProcess, Nginx]]:
    folder = tmp_path_factory.mktemp("behind-nginx")
    bridge = BridgeProcess(folder, ejabberd, start=False)
    with Nginx(folder / "nginx", bridge.port) as nginx:
        limits = {"sockets_per_ip": PER_IP}
        bridge.write_config(web={"public_url": nginx.url, "trusted_proxies": ["127.0.0.1"]}, limits=limits)
        bridge.start()
        yield bridge, nginx
        bridge.close()


@asynccontextmanager
async def client_of(address: str, nginx: Nginx) -> AsyncIterator[aiohttp.ClientSession]:
    """A client with a loopback address of its own: all of 127.0.0.0/8 is this machine."""
    context = ssl.create_default_context(cafile=str(nginx.folder / "crt.pem"))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=(address, 0), ssl=context)) as session:
        yield session
    await asyncio.sleep(0.25)  # aiohttp closes TLS connections behind our back


async def hello(session: aiohttp.ClientSession, bridge: BridgeProcess, nginx: Nginx, **headers: str) -> aiohttp.ClientWebSocketResponse:
    socket = await session.ws_connect(f"{nginx.url}/ws", protocols=["jinglebridge.v1"], headers={"Origin": nginx.url, **headers})
    await socket.send_json({"type": "hello", "id": "1", "version": 1, "token": bridge.token(unique_user("carol"))})
    assert json.loads((await socket.receive(timeout=10)).data)["type"] == "welcome"
    return socket


async def test_limits_count_the_real_client(behind_nginx: tuple[BridgeProcess, Nginx]) -> None:
    bridge, nginx = behind_nginx
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(client_of("127.0.0.7", nginx))
        kept = [await hello(first, bridge, nginx) for _ in range(PER_IP)]
        for forged in ({}, {"X-Forwarded-For": "203.0.113.9"}, {"Forwarded": "for=203.0.113.9"}):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await hello(first, bridge, nginx, **forged)
            assert refused.value.status == 429
        second = await stack.enter_async_context(client_of("127.0.0.8", nginx))
        kept.append(await hello(second, bridge, nginx))
        assert not any(socket.closed for socket in kept)
        for socket in kept:
            await socket.close()


async def test_strangers_from_another_origin_are_refused(behind_nginx: tuple[BridgeProcess, Nginx]) -> None:
    bridge, nginx = behind_nginx
    async with client_of("127.0.0.9", nginx) as client:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await hello(client, bridge, nginx, Origin="https://evil.example")
        assert refused.value.status == 403


@pytest.mark.parametrize("seconds", [65, pytest.param(240, marks=pytest.mark.long)])
@pytest.mark.timeout(400)
async def test_idle_socket_survives(behind_nginx: tuple[BridgeProcess, Nginx], seconds: int) -> None:
    """The page says nothing for longer than nginx's own limit of 60 s; only pings of the WebSocket, and of the stream, pass."""
    bridge, nginx = behind_nginx
    async with client_of("127.0.0.10", nginx) as client:
        socket = await hello(client, bridge, nginx)
        stream = RawStream(client, nginx.url)
        assert (await stream.hello(token=bridge.token(unique_user("carol"))))["type"] == "welcome", "nothing waits in a buffer"
        silent = await asyncio.gather(asyncio.wait_for(socket.receive(), seconds), stream.hear(seconds), return_exceptions=True)
        assert [type(each) for each in silent] == [asyncio.TimeoutError] * 2 and stream.pings >= seconds // 10 - 1
        assert await stream.say({"type": "ping", "id": "late"}) == 204
        assert await stream.hear() == {"type": "pong", "id": "late"}
        await stream.bye()
        await socket.send_json({"type": "ping", "id": "late"})
        assert json.loads((await socket.receive(timeout=5)).data) == {"type": "pong", "id": "late"}
        await socket.close()


def test_page_calls_through_nginx(behind_nginx: tuple[BridgeProcess, Nginx], handset: HandsetFactory, tmp_path: Path) -> None:
    """https and wss with the strict CSP, as browsers see them."""
    bridge, nginx = behind_nginx
    echo = handset(bridge.server, unique_user("echo"), "--tone", "700")
    with sync_playwright() as playwright, person(playwright, tmp_path, flags=("--ignore-certificate-errors",)) as alice:
        alice.open(f"{nginx.url}/#token={bridge.token(unique_user('alice'), echo.jid)}")
        assert "token" not in alice.page.url
        alice.press(f"Call {echo.jid.partition('@')[0]}")
        alice.connected()
        alice.plays(video=False)
        alice.hears_tone(700)
        alice.press("Hang up")
        assert alice.problems == []
