"""A connection by plain HTTP: the same frames, sessions and limits as by WebSocket. DESIGN §3, §5."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from jinglebridge.demo.lab import free_port
from jinglebridge.web import connection as base
from jinglebridge.web import messages as m
from jinglebridge.web import stream as module
from jinglebridge.web.server import WebServer
from jinglebridge.web.sessions import Session, Wire
from jinglebridge.web.stream import Stream
from tests.unit.fakes import logged, until
from tests.unit.web.test_socket import HELLO, FakeGate, Pipe

SITE = "https://www.example.org"
ACCEPT = {"type": "accept", "id": "1", "call": "c"}


@pytest.fixture
def gate() -> FakeGate:
    return FakeGate()


@pytest.fixture
async def client(gate: FakeGate) -> AsyncIterator[TestClient[Any, Any]]:
    server = WebServer(
        gate, lambda: True, public_url="http://localhost", allowed_origins=[SITE], trusted_proxies=["127.0.0.1"], sockets_per_ip=5
    )
    client: TestClient[Any, Any] = TestClient(TestServer(server.app()))
    await client.start_server()
    yield client
    await client.close()


class Peer:
    """The browser's side of one connection."""

    def __init__(self, client: TestClient[Any, Any]) -> None:
        self.client = client
        self.key = self.ticket = ""
        self.reply: aiohttp.ClientResponse

    async def hello(self, **fields: Any) -> dict[str, Any]:
        async with self.client.post("/stream", json=HELLO | fields) as reply:
            assert reply.status == 200
            answer: dict[str, Any] = await reply.json()
        self.key, self.ticket = answer.get("key", ""), answer.get("ticket", "")
        return answer

    async def read(self) -> None:
        self.reply = await self.client.get("/stream", headers=bearer(self.ticket))
        assert self.reply.status == 200

    async def event(self) -> tuple[str, Any]:
        """Kind and data of what comes next."""
        async with asyncio.timeout(5):
            text = (await self.reply.content.readuntil(b"\n\n")).decode()
        lines = [line.partition(": ") for line in text.rstrip("\n").split("\n")]
        fields = {name: value for name, _, value in lines}
        kind = fields.get("event", "message")
        return kind, json.loads(fields["data"]) if kind == "message" else fields["data"]

    async def hear(self) -> dict[str, Any]:
        kind, data = await self.event()
        assert kind == "message", (kind, data)
        return data  # type: ignore[no-any-return]

    async def say(self, *frames: dict[str, Any] | str) -> int:
        body = "\n".join(f if isinstance(f, str) else json.dumps(f) for f in frames)
        async with self.client.post("/stream/frames", data=body.encode(), headers=bearer(self.key)) as reply:
            return reply.status

    async def over(self) -> bytes:
        async with asyncio.timeout(5):
            return await self.reply.content.read()


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def welcome(client: TestClient[Any, Any], **hello: Any) -> tuple[Peer, str]:
    peer = Peer(client)
    await peer.hello(**hello)
    await peer.read()
    heard = await peer.hear()
    assert heard["type"] == "welcome"
    return peer, heard["resume"]


async def test_hello_stream_and_frames(client: TestClient[Any, Any], gate: FakeGate):
    peer, _ = await welcome(client)
    assert (
        await peer.say(ACCEPT, ACCEPT, {"type": "presence", "id": "2"}, {"type": "ping", "id": "3"}, {"type": "ice", "id": "4", "to": "b"})
        == 204
    )
    heard = [await peer.hear() for _ in range(6)]
    assert [(f["type"], f["id"]) for f in heard] == [("ack", "1"), ("ack", "1"), ("error", "2"), ("pong", "3"), ("ice", "4"), ("ack", "4")]
    assert [type(f) for f in gate.requests] == [m.Accept, m.SetPresence, m.Ice], "a request is carried out once"


async def test_secrets_are_long_and_all_different(client: TestClient[Any, Any]):
    seen = set()
    for _ in range(3):
        answer = await Peer(client).hello()
        assert set(answer) == {"key", "ticket", "expires"} and answer["expires"] == 10
        seen |= {answer["key"], answer["ticket"]}
    assert len(seen) == 6 and all(len(secret) >= 22 for secret in seen), "128 bits in base64"


async def test_answers_are_for_no_cache_and_no_cookie(client: TestClient[Any, Any]):
    peer, _ = await welcome(client)
    assert peer.reply.headers["Content-Type"] == "text/event-stream" and peer.reply.headers["X-Accel-Buffering"] == "no"
    hello = await client.post("/stream", json=HELLO)
    for reply in (peer.reply, hello):
        assert "no-store" in reply.headers["Cache-Control"] and "Set-Cookie" not in reply.headers
        assert reply.headers["X-Content-Type-Options"] == "nosniff" and "Content-Security-Policy" in reply.headers


@pytest.mark.parametrize(
    ("hello", "code"),
    [
        ({"token": "bad"}, "not-authorized"),
        ({"token": "bug"}, "internal"),
        ({"type": "ping"}, "hello-first"),
        ({"version": "x"}, "bad-frame"),
    ],
)
async def test_a_hello_that_is_refused(client: TestClient[Any, Any], hello: dict[str, Any], code: str):
    with logged():
        answer = await Peer(client).hello(**hello)
    assert (answer["type"], answer["code"], answer["id"]) == ("error", code, "h") and "secret" not in answer["message"]
    for _ in range(6):
        await Peer(client).hello(token="bad")  # leaves nothing: there is still room
    await welcome(client)


async def test_hello_is_json_that_comes_soon_and_ends_soon(client: TestClient[Any, Any], monkeypatch: pytest.MonkeyPatch):
    assert (await client.post("/stream", data=json.dumps(HELLO))).status == 415, "what a form of another site could send"
    monkeypatch.setattr(base, "HELLO_WITHIN", 0.1)
    big = json.dumps(HELLO | {"token": "x" * base.MAX_MESSAGE}).encode()
    assert (await client.post("/stream", data=big, headers={"Content-Type": "application/json"})).status == 413

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)

    async with asyncio.timeout(2):
        assert (await client.post("/stream", data=slow(), headers={"Content-Type": "application/json"})).status == 408
    for _ in range(5):
        await Peer(client).hello()  # there is room: none of the three is counted


async def test_a_ticket_is_good_once(client: TestClient[Any, Any], gate: FakeGate):
    peer, _ = await welcome(client)
    for way in ({"headers": bearer(peer.ticket)}, {"params": {"ticket": peer.ticket}}, {"headers": bearer(peer.key)}, {}):
        reply = await client.get("/stream", **way)
        assert reply.status == 401 and reply.headers["WWW-Authenticate"] == "Bearer"
    assert await peer.say(ACCEPT) == 204 and (await peer.hear())["type"] == "ack", "the connection is as it was"
    peer.key = peer.ticket
    assert await peer.say(ACCEPT) == 401


async def test_a_ticket_gets_too_old(client: TestClient[Any, Any], gate: FakeGate, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "TICKET_WITHIN", 0.05)
    peer = Peer(client)
    await peer.hello()
    await until(lambda: gate.detached_sessions)
    assert (await client.get("/stream", headers=bearer(peer.ticket))).status == 401
    assert await peer.say(ACCEPT) == 401 and gate.requests == []


async def test_event_source_has_the_ticket_in_the_address(client: TestClient[Any, Any]):
    peer = Peer(client)
    await peer.hello()
    peer.reply = await client.get("/stream", params={"ticket": peer.ticket})
    assert (await peer.hear())["type"] == "welcome"


async def test_a_proxy_of_http_1_0_gets_no_chunks(client: TestClient[Any, Any]):
    peer = Peer(client)
    await peer.hello()
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(f"GET /stream HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer {peer.ticket}\r\n\r\n".encode())
    async with asyncio.timeout(5):
        head, body = await reader.readuntil(b"\r\n\r\n"), await reader.readuntil(b"\n\n")
    assert b"chunked" not in head.lower() and body.startswith(b'data: {"type"')
    writer.close()


@pytest.mark.parametrize("origin", ["https://evil.test", "null", "https://www.example.org.evil.test"])
async def test_no_other_site(client: TestClient[Any, Any], gate: FakeGate, origin: str):
    headers = {"Origin": origin}
    peer = Peer(client)
    await peer.hello()
    replies = [
        await client.post("/stream", json=HELLO, headers=headers),
        await client.get("/stream", headers=headers | bearer(peer.ticket)),
        await client.post("/stream/frames", data=json.dumps(ACCEPT), headers=headers | bearer(peer.key)),
        await client.options("/stream", headers=headers | {"Access-Control-Request-Method": "POST"}),
    ]
    assert [r.status for r in replies] == [403] * 4 and gate.requests == [] and len(gate.sessions.by_jid) == 1
    assert not any("Access-Control-Allow-Origin" in r.headers for r in replies)
    await peer.read()  # the ticket was not spent by the wrong site


async def test_pages_of_allowed_sites(client: TestClient[Any, Any]):
    headers = {"Origin": SITE}
    for path in ("/stream", "/stream/frames"):
        asked = await client.options(path, headers=headers | {"Access-Control-Request-Method": "POST"})
        assert asked.status == 204 and asked.headers["Access-Control-Allow-Headers"] == "authorization, content-type"
        assert asked.headers["Access-Control-Allow-Methods"] == "GET, POST"
    hello = await client.post("/stream", json=HELLO, headers=headers)
    answer = await hello.json()
    stream = await client.get("/stream", headers=headers | bearer(answer["ticket"]))
    late = await client.get("/stream", headers=headers | bearer(answer["ticket"]))
    for reply in (asked, hello, stream, late):
        assert reply.headers.getall("Access-Control-Allow-Origin") == [SITE] and reply.headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Credentials" not in reply.headers
    assert (stream.status, late.status) == (200, 401)


async def test_streams_and_sockets_of_an_address_count_together(client: TestClient[Any, Any], gate: FakeGate):
    socket = await client.ws_connect("/ws", protocols=(m.PROTOCOL,))
    peers = [(await welcome(client))[0] for _ in range(4)]
    assert (await client.post("/stream", json=HELLO)).status == 429
    there = {"X-Forwarded-For": "192.0.2.7"}
    assert (await client.post("/stream", json=HELLO, headers=there)).status == 200, "another client behind the proxy"
    await peers[0].say({"type": "bye", "id": "b"})
    await peers[0].over()
    assert (await client.post("/stream", json=HELLO)).status == 200
    await socket.close()


async def test_a_lost_stream_is_resumed_and_the_old_key_is_dead(
    client: TestClient[Any, Any], gate: FakeGate, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "LAST_WORDS", 0.05)
    old, secret = await welcome(client)
    await old.say(ACCEPT)
    old.reply.close()
    await until(lambda: gate.detached_sessions)
    assert await old.say(ACCEPT | {"id": "2"}) == 401
    new, _ = await welcome(client, token=None, resume={"secret": secret})
    await new.say(ACCEPT)
    assert await new.hear() == {"type": "ack", "id": "1"}
    assert len(gate.requests) == 1 and len(gate.sessions.by_jid) == 1, "the answer is repeated, nothing is done twice"


async def test_last_words_of_a_page_that_is_closed_count(client: TestClient[Any, Any], gate: FakeGate):
    """A browser cuts the stream first; what the page said at the end comes by another connection."""
    peer, _ = await welcome(client)
    (stream,) = [session.wire for session in gate.sessions.by_jid.values()]
    assert isinstance(stream, Stream)
    peer.reply.close()
    await until(lambda: stream._transport is None)
    assert gate.detached_sessions == [] and await peer.say(ACCEPT) == 204
    assert [r.id for r in gate.requests] == ["1"]
    await until(lambda: gate.detached_sessions)
    assert await peer.say(ACCEPT) == 401


async def test_resumed_elsewhere_the_old_stream_ends_with_its_code(client: TestClient[Any, Any], gate: FakeGate):
    """And across: a page that came by stream may come back by WebSocket."""
    old, secret = await welcome(client)
    socket = await client.ws_connect("/ws", protocols=(m.PROTOCOL,))
    await socket.send_json(HELLO | {"token": None, "resume": {"secret": secret}})
    assert (await socket.receive_json(timeout=5))["type"] == "welcome"
    assert await old.event() == ("close", "4000 resumed elsewhere") and await old.over() == b""
    assert gate.detached_sessions == [] and await old.say(ACCEPT) == 401
    await socket.close()


async def test_bye_ends_stream_and_session(client: TestClient[Any, Any], gate: FakeGate):
    peer, _ = await welcome(client)
    assert await peer.say({"type": "bye", "id": "1"}, ACCEPT) == 204
    assert await peer.hear() == {"type": "ack", "id": "1"} and await peer.event() == ("close", "1000 bye")
    assert await peer.over() == b"" and len(gate.byes) == 1 and gate.requests == []


async def test_wrong_frames_get_their_errors_and_nothing_closes(client: TestClient[Any, Any]):
    peer, _ = await welcome(client)
    await peer.say("nonsense", "", '{"type":"nonsense","id":"2"}', json.dumps(HELLO), '{"type":"bye","x":"' + "x" * 100_000 + '"}', ACCEPT)
    heard = [await peer.hear() for _ in range(5)]
    assert [f.get("code", "ack") for f in heard] == ["bad-frame", "unknown-type", "out-of-order", "too-big", "ack"]


async def test_what_is_no_text_or_too_much_ends_it(client: TestClient[Any, Any], gate: FakeGate):
    peer, _ = await welcome(client)
    async with client.post("/stream/frames", data=b'{"type":"accept","id":"\xff","call":"c"}', headers=bearer(peer.key)) as reply:
        assert reply.status == 204
    assert await peer.event() == ("close", "1007 not UTF-8")
    peer, _ = await welcome(client)
    assert await peer.say("x" * (base.MAX_MESSAGE + 1)) == 413
    assert await peer.event() == ("close", "1009 too big to be read") and gate.requests == []


async def test_frames_have_an_order_so_one_post_waits_for_another_and_no_third_does(
    client: TestClient[Any, Any], gate: FakeGate, monkeypatch: pytest.MonkeyPatch
):
    peer, _ = await welcome(client)
    hold = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield json.dumps(ACCEPT).encode()
        await hold.wait()

    first = asyncio.create_task(client.post("/stream/frames", data=slow(), headers=bearer(peer.key)))
    (stream,) = [session.wire for session in gate.sessions.by_jid.values()]
    assert isinstance(stream, Stream)
    await until(lambda: stream._handled is not None)
    second = asyncio.create_task(peer.say(ACCEPT | {"id": "2"}))
    await until(lambda: stream._posts == 2)
    assert await peer.say(ACCEPT | {"id": "3"}) == 409 and gate.requests == []
    hold.set()
    assert (await first).status == 204 and await second == 204 and [r.id for r in gate.requests] == ["1", "2"]
    monkeypatch.setattr(base, "DEAD_AFTER", 0.1)
    hold.clear()
    assert (await client.post("/stream/frames", data=slow(), headers=bearer(peer.key))).status == 408


async def test_a_page_that_goes_in_the_middle_of_its_post(client: TestClient[Any, Any], gate: FakeGate, caplog: pytest.LogCaptureFixture):
    peer, _ = await welcome(client)
    (stream,) = [session.wire for session in gate.sessions.by_jid.values()]
    assert isinstance(stream, Stream)
    _, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(f"POST /stream/frames HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {peer.key}\r\nContent-Length: 500\r\n\r\n{{".encode())
    await until(lambda: stream._handled is not None)
    writer.transport.abort()
    await until(lambda: stream._handled is None)
    assert await peer.say(ACCEPT) == 204 and [r.id for r in gate.requests] == ["1"]
    assert [line for line in caplog.records if line.levelname == "ERROR"] == []


async def test_who_sends_much_waits_for_the_answer(client: TestClient[Any, Any], gate: FakeGate, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(base, "BURST", 40.0)
    monkeypatch.setattr(base, "PACE", 200.0)
    peer, _ = await welcome(client)
    began = asyncio.get_running_loop().time()
    assert await peer.say(*(ACCEPT | {"id": str(n)} for n in range(80))) == 204
    assert asyncio.get_running_loop().time() - began > 0.15
    assert [r.id for r in gate.requests] == [str(n) for n in range(80)], "in order"


@pytest.fixture
async def piped(gate: FakeGate) -> AsyncIterator[Callable[[Pipe], Awaitable[Stream]]]:
    made: list[Stream] = []

    async def make(pipe: Pipe) -> Stream:
        made.append(Stream(gate, "192.0.2.1"))
        assert await made[-1].greet(json.dumps(HELLO).encode()) is None
        made[-1].start(pipe, b"head")
        return made[-1]

    yield make
    for stream in made:
        stream.abort()
        stream.connection_lost(None)


Piped = Callable[[Pipe], Awaitable[Stream]]


async def test_what_was_sent_before_the_stream_comes_first(piped: Piped):
    pipe = Pipe(reads=True)
    await piped(pipe)
    assert pipe.writes[0] == b"head" and pipe.writes[1].startswith(b'data: {"type": "welcome"') and pipe.writes[1].endswith(b"}\n\n")


async def test_who_is_silent_is_asked_and_then_dropped(piped: Piped, gate: FakeGate):
    pipe = Pipe(reads=True)
    stream = await piped(pipe)
    pipe.writes.clear()
    stream.pulse(stream.heard_at + base.PING_AFTER)
    assert pipe.writes == [b"event: ping\ndata: 0\n\n"]
    before = stream.heard_at

    async def nothing() -> AsyncIterator[bytes]:
        yield b""

    await stream.take(nothing())  # its answer
    assert stream.heard_at > before
    stream.pulse(stream.heard_at + base.DEAD_AFTER)
    assert pipe.aborted
    stream.connection_lost(None)
    assert gate.detached_sessions, "at once: there are no last words"


async def test_a_slow_reader_is_closed_with_1013_and_costs_no_more(piped: Piped, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(base, "CLOSE_WITHIN", 0.02)
    pipe = Pipe()
    stream = await piped(pipe)
    for _ in range(base.MAX_QUEUE // 1024 + 50):
        stream.send(b"x" * 1024)
        await asyncio.sleep(0)
    assert pipe.buffered <= base.MAX_QUEUE + 5000 and pipe.writes[-1] == b"event: close\ndata: 1013 too slow\n\n" and pipe.closed
    await until(lambda: pipe.aborted)


async def test_a_stream_that_nobody_opened_keeps_no_more_than_others(gate: FakeGate):
    stream = Stream(gate, "192.0.2.1")
    await stream.greet(json.dumps(HELLO).encode())
    for _ in range(base.MAX_QUEUE // 1024 + 1):
        stream.send(b"x" * 1024)
    assert stream.lost and not stream._out and len(gate.detached_sessions) == 1
    stream.abort()
    assert len(gate.detached_sessions) == 1, "told once"


async def test_a_stop_of_the_bridge_ends_streams_with_their_code(gate: FakeGate):
    server = WebServer(gate, lambda: True, public_url="http://localhost", allowed_origins=[], trusted_proxies=[], sockets_per_ip=5)
    port = free_port()
    await server.start("127.0.0.1", port, None)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        reply = await http.post("/stream", json=HELLO)
        unopened = await http.post("/stream", json=HELLO)
        assert unopened.status == 200
        stream = await http.get("/stream", headers=bearer((await reply.json())["ticket"]))
        await server.stop()
        assert (await stream.content.read()).endswith(b"event: close\ndata: 1001 the bridge is being stopped\n\n")
    assert len(gate.detached_sessions) == 2


async def test_a_hello_during_which_the_bridge_stops(gate: FakeGate, monkeypatch: pytest.MonkeyPatch):
    stream = Stream(gate, "192.0.2.1")

    async def slow(frame: m.Hello, wire: Wire, address: str) -> Session:
        wire.close(1001, "the bridge is being stopped")
        return await FakeGate.hello(gate, frame, wire, address)

    monkeypatch.setattr(gate, "hello", slow)
    assert await stream.greet(json.dumps(HELLO).encode()) is None
    assert stream.lost and [s.wire for s in gate.detached_sessions] == [None]


def test_limits_are_those_of_the_design():
    assert module.TICKET_WITHIN == 10.0 and module.LAST_WORDS + base.DEAD_AFTER <= 15


async def test_bytes_that_are_no_text_are_refused_as_anything_else(client: TestClient[Any, Any], gate: FakeGate):
    """aiohttp makes lone surrogates of them."""
    for line, status in (
        (b"GET /stream", b"401"), (b"POST /stream/frames", b"401"), (b"POST /stream", b"403"),
    ):  # fmt: skip
        header = b"Origin: \xff" if status == b"403" else b"Authorization: Bearer \xff"
        reader, writer = await asyncio.open_connection(client.host, client.port)
        writer.write(line + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n" + header + b"\r\n\r\n")
        async with asyncio.timeout(5):
            assert (await reader.readline()).split()[1] == status
        writer.close()


async def test_a_post_says_if_the_connection_ended_before_it(client: TestClient[Any, Any], gate: FakeGate, monkeypatch: pytest.MonkeyPatch):
    """Whoever sent it must send it again."""
    monkeypatch.setattr(base, "BURST", 2.0)
    monkeypatch.setattr(base, "PACE", 1.0)
    monkeypatch.setattr(module, "LAST_WORDS", 0.0)
    peer, _ = await welcome(client)
    posting = asyncio.create_task(peer.say(*(ACCEPT | {"id": str(number)} for number in range(base.TURN + 8))))
    await until(lambda: len(gate.requests) == base.TURN)
    behind = asyncio.create_task(peer.say(ACCEPT))
    await asyncio.sleep(0.05)
    peer.reply.close()
    async with asyncio.timeout(5):
        assert await asyncio.gather(posting, behind) == [401, 401]
    assert len(gate.requests) == base.TURN
