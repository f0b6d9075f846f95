"""HTTP: who may open the socket, what every answer carries, what readiness means. J-251; DESIGN §3, §5."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

from jinglebridge.demo.lab import free_port
from jinglebridge.errors import OperatorError
from jinglebridge.web import messages as m
from jinglebridge.web.server import WebServer, client_folder, security_headers

Client = Callable[..., Awaitable[TestClient[Any, Any]]]


class ClosedGate:
    async def hello(self, frame: Any, wire: Any, address: str) -> Any:
        raise AssertionError("nobody gets that far here")


class NoLinks:
    def look(self, code: str, address: str) -> Any:
        raise AssertionError("no question gets that far here")


class NoDesk:
    def begin(self, jid: str, label: str, address: str) -> Any:
        raise AssertionError("no question gets that far here")

    async def answer(self, handle: str, code: str | None) -> Any:
        raise AssertionError("no question gets that far here")


def server(**options: Any) -> WebServer:
    base: dict[str, Any] = {
        "public_url": "https://call.example.org", "allowed_origins": [], "trusted_proxies": [], "sockets_per_ip": 3
    }  # fmt: skip
    return WebServer(ClosedGate(), options.pop("ready", lambda: True), **(base | options))  # type: ignore[arg-type]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    made: list[TestClient[Any, Any]] = []

    async def make(**options: Any) -> TestClient[Any, Any]:
        made.append(TestClient(TestServer(server(**options).app())))
        await made[-1].start_server()
        return made[-1]

    yield make
    for each in made:
        await each.close()


async def refused(client: TestClient[Any, Any], status: int, **options: Any) -> str:
    options.setdefault("protocols", (m.PROTOCOL,))
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await client.ws_connect("/ws", **options)
    assert caught.value.status == status
    return str(caught.value.headers)


@pytest.mark.parametrize("origin", ["https://call.example.org", "https://call.example.org/", "https://www.example.org", None])
async def test_origins_that_may(client: Client, origin: str | None):
    made = await client(allowed_origins=["https://www.example.org/"])
    headers = {"Origin": origin} if origin else {}
    socket = await made.ws_connect("/ws", protocols=(m.PROTOCOL,), headers=headers, compress=15)
    assert socket.protocol == m.PROTOCOL and not socket.compress, "no deflate: it costs eight times the memory"
    await socket.close()


@pytest.mark.parametrize(
    "origin",
    ["http://call.example.org", "https://evil.test", "https://call.example.org.evil.test", "https://call.example.org:444", "null", ""],
)
async def test_origins_that_may_not(client: Client, origin: str):
    headers = await refused(await client(), 403, headers={"Origin": origin})
    assert "Content-Security-Policy" in headers


SITES = ["https://www.example.org/", "http://localhost:8001"]


@pytest.mark.parametrize("origin", ["https://www.example.org", "http://localhost:8001"])
async def test_modules_for_the_pages_of_allowed_sites(client: Client, origin: str):
    made = await client(allowed_origins=SITES)
    module = await made.get("/client/jingle-call.js", headers={"Origin": origin})
    assert module.status == 200 and module.headers.getall("Access-Control-Allow-Origin") == [origin]
    assert module.headers["Vary"] == "Origin" and "Access-Control-Allow-Credentials" not in module.headers
    again = await made.get("/client/jingle-call.js", headers={"Origin": origin, "If-None-Match": module.headers["ETag"]})
    assert again.status == 304 and again.headers["Access-Control-Allow-Origin"] == origin
    for path in ("/", "/client/page.css", "/client/index.html", "/client/nothing.js", "/healthz"):
        other = await made.get(path, headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in other.headers, path


@pytest.mark.parametrize("origin", ["https://evil.test", "https://www.example.org.evil.test", "http://www.example.org", "null", "*", None])
async def test_no_modules_for_the_pages_of_other_sites(client: Client, origin: str | None):
    for sites in (SITES, []):
        module = await (await client(allowed_origins=sites)).get("/client/jingle-call.js", headers={"Origin": origin} if origin else {})
        assert module.status == 200 and "Access-Control-Allow-Origin" not in module.headers
        assert module.headers.get("Vary") == ("Origin" if sites else None), "a cache must not hand this answer to an allowed site"


@pytest.mark.parametrize("protocols", [(), ("other",), ("jinglebridge.v2", "jinglebridge.v10")])
async def test_the_subprotocol_is_required(client: Client, protocols: tuple[str, ...]):
    await refused(await client(), 400, protocols=protocols)


async def test_the_subprotocol_among_others(client: Client):
    socket = await (await client()).ws_connect("/ws", protocols=("other", m.PROTOCOL))
    assert socket.protocol == m.PROTOCOL
    await socket.close()


async def test_sockets_per_address_are_counted_and_given_back(client: Client):
    made = await client()
    sockets = [await made.ws_connect("/ws", protocols=(m.PROTOCOL,)) for _ in range(3)]
    await refused(made, 429)
    await sockets.pop().close()
    sockets.append(await made.ws_connect("/ws", protocols=(m.PROTOCOL,)))
    await refused(made, 429)
    for socket in sockets:
        await socket.close()


async def test_behind_a_proxy_the_real_clients_are_counted(client: Client):
    made = await client(trusted_proxies=["127.0.0.1"])
    sockets = [
        await made.ws_connect("/ws", protocols=(m.PROTOCOL,), headers={"X-Forwarded-For": f"evil, {address}"})
        for address in ("192.0.2.1", "192.0.2.2") * 3
    ]
    await refused(made, 429, headers={"X-Forwarded-For": "192.0.2.1"})
    for socket in sockets:
        await socket.close()


@pytest.mark.parametrize(
    ("peer", "forwarded", "proxies", "address"),
    [
        ("192.0.2.9", "198.51.100.1", [], "192.0.2.9"),
        ("192.0.2.9", "198.51.100.1", ["10.0.0.0/8"], "192.0.2.9"),
        ("10.1.2.3", "198.51.100.1", ["10.0.0.0/8"], "198.51.100.1"),
        ("10.1.2.3", "203.0.113.5, 198.51.100.1", ["10.0.0.0/8"], "198.51.100.1"),
        ("10.1.2.3", "203.0.113.5, 198.51.100.1, 10.9.9.9", ["10.0.0.0/8"], "198.51.100.1"),
        ("10.1.2.3", "10.9.9.9", ["10.0.0.0/8"], "10.9.9.9"),
        ("10.1.2.3", "", ["10.0.0.0/8"], "10.1.2.3"),
        ("10.1.2.3", " , ,", ["10.0.0.0/8"], "10.1.2.3"),
        ("10.1.2.3", "203.0.113.5, nonsense", ["10.0.0.0/8"], "nonsense"),
        ("::1", "2001:db8::1", ["::1"], "2001:db8::1"),
    ],
)
def test_forwarded_addresses_are_believed_of_trusted_proxies_only(peer: str, forwarded: str, proxies: list[str], address: str):
    request = make_mocked_request("GET", "/ws", headers={"X-Forwarded-For": forwarded}).clone(remote=peer)
    assert server(trusted_proxies=proxies).address_of(request) == address


async def test_who_says_nothing_or_never_ends_is_not_kept(monkeypatch: pytest.MonkeyPatch):
    """A connection costs a file; aiohttp would keep one that asks nothing for an hour."""
    monkeypatch.setattr("jinglebridge.web.server.IDLE", 0.2)
    monkeypatch.setattr("jinglebridge.web.guest_pages.BODY_WITHIN", 0.2)
    monkeypatch.setattr("jinglebridge.web.proofs.BODY_WITHIN", 0.2)
    made, port = server(links=NoLinks(), desk=NoDesk()), free_port()
    await made.start("127.0.0.1", port, None)
    head = b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n{"
    try:
        for sent, answer in ((b"", b""), (b"GET / HTTP/1.1\r\nHo", b""), (b"POST /link" + head, b"408"), (b"POST /proof" + head, b"408")):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            line = await asyncio.wait_for(reader.readline(), 5)
            assert answer in line and bool(answer) == bool(line)
            writer.close()
    finally:
        await made.stop()


KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="


async def test_the_addresses_of_one_client_count_together(client: Client):
    """Whoever has IPv6 has 2^64 of them."""
    there = await client(trusted_proxies=["127.0.0.1"])
    for n in range(3):
        await there.ws_connect("/ws", protocols=(m.PROTOCOL,), headers={"X-Forwarded-For": f"2001:db8::{n}"})
    await refused(there, 429, headers={"X-Forwarded-For": "2001:db8::ffff:1"})
    await there.ws_connect("/ws", protocols=(m.PROTOCOL,), headers={"X-Forwarded-For": "2001:db8:0:1::1"})


@pytest.mark.parametrize(("old", "new"), [
    (KEY, b"Sec-WebSocket-Key: x"), (KEY, b"Sec-WebSocket-Key: \xff"), (KEY, b"Sec-WebSocket-Key: " + b"\xff" * 24),
    (KEY, KEY + b"\r\nContent-Length: 5"), (KEY, KEY + b"\r\nTransfer-Encoding: chunked"), (b"GET", b"HEAD"),
])  # fmt: skip
async def test_a_handshake_that_is_none_is_refused_and_holds_nothing(client: Client, old: bytes, new: bytes):
    """RFC 6455 §4.2.1. The connection is still HTTP's, which ends it."""
    there = await client()
    lines = (b"GET /ws HTTP/1.1", b"Host: x", b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", KEY)
    request = b"\r\n".join((*lines, b"Sec-WebSocket-Protocol: " + m.PROTOCOL.encode(), b"", b""))
    for sent, status in ((request, b"101"), (request.replace(old, new), b"405" if new == b"HEAD" else b"400")):
        reader, writer = await asyncio.open_connection(there.host, there.port)
        writer.write(sent)
        assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 " + status)
        writer.close()
        await writer.wait_closed()


async def test_page_modules_and_security_headers(client: Client):
    made = await client()
    page = await made.get("/")
    assert page.status == 200 and page.headers["Content-Type"].startswith("text/html")
    module = await made.get("/client/jinglebridge.js")
    assert module.status == 200 and module.headers["Content-Type"].startswith("text/javascript")
    for answer in (page, module, await made.get("/nothing"), await made.get("/healthz")):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert "connect-src 'self' wss://call.example.org" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["Referrer-Policy"] == "no-referrer"
        assert "max-age" in answer.headers["Strict-Transport-Security"]


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/client/", "/client/nothing.js", "/client/page.py", "/client/%2e%2e/pyproject.toml",
     "/client/..%2fREADME.md", "/client/README.md", "/ws/"],
)  # fmt: skip
async def test_what_is_not_there(client: Client, path: str):
    made = await client()
    assert (await made.get(path)).status == 404


async def test_no_other_methods_and_no_plain_get_of_the_socket(client: Client):
    made = await client()
    assert (await made.post("/")).status == 405
    assert (await made.get("/ws")).status == 400
    assert (await made.get("/ws", headers={"Sec-WebSocket-Protocol": m.PROTOCOL})).status == 400


async def test_health_and_readiness(client: Client):
    ready = [False]
    made = await client(ready=lambda: ready[0])
    assert (await made.get("/healthz")).status == 200
    answer = await made.get("/readyz")
    assert (answer.status, await answer.text()) == (503, "not ready\n")
    ready[0] = True
    assert (await made.get("/readyz")).status == 200


def test_plain_http_on_loopback_has_no_transport_security():
    headers = security_headers("http://localhost:8080")
    assert "Strict-Transport-Security" not in headers and "ws://localhost:8080" in headers["Content-Security-Policy"]


async def test_a_port_in_use_is_one_clear_line():
    port = free_port()
    first, second = server(), server()
    await first.start("127.0.0.1", port, None)
    with pytest.raises(OperatorError, match=rf"cannot listen on 127.0.0.1:{port} .*change \[web\] listen"):
        await second.start("127.0.0.1", port, None)
    await second.stop()
    await first.stop()
    await server().stop()


def test_the_client_is_found():
    assert (client_folder() / "index.html").is_file() and isinstance(client_folder(), Path)
