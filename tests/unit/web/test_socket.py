"""One WebSocket: what it answers to every kind of frame, and when it closes. DESIGN §3, §5."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from jinglebridge.errors import EndpointError
from jinglebridge.web import connection as module
from jinglebridge.web import frames
from jinglebridge.web import messages as m
from jinglebridge.web.server import WebServer
from jinglebridge.web.sessions import Session, Sessions, Wire
from jinglebridge.web.socket import Socket
from jinglebridge.web.tokens import Identity
from tests.unit.fakes import logged, until

HELLO = {"type": "hello", "id": "h", "version": 1, "token": "good"}


class FakeGate:
    """Lets "good" in, resumes by the secret, and keeps what it is asked."""

    def __init__(self) -> None:
        self.sessions = Sessions("call.test")
        self.requests: list[m.Request] = []
        self.detached_sessions: list[Session] = []
        self.byes: list[Session] = []

    async def hello(self, frame: m.Hello, wire: Wire, address: str) -> Session:
        if frame.token == "bug":
            raise ZeroDivisionError("secret")
        session = self.sessions.find(frame.resume.secret) if frame.resume else None
        if session is None:
            if frame.token != "good":
                raise EndpointError("not-authorized", "no")
            session = self.sessions.create(Identity("anna", "Anna"), "Anna", True)
        elif session.wire is not None:
            session.wire.close(4000, "resumed elsewhere")
        session.wire = wire
        wire.send(json.dumps({"type": "welcome", "resume": self.sessions.next_secret(session)}).encode())
        return session

    def request(self, session: Session, frame: m.Request) -> bool:
        self.requests.append(frame)
        if isinstance(frame, m.SetPresence):
            raise EndpointError("not-supported", "later")
        if isinstance(frame, m.Stats):
            raise ZeroDivisionError("secret")
        if isinstance(frame, m.Ice | m.History):
            kind = "ice" if isinstance(frame, m.Ice) else "history"
            session.wire.send(json.dumps({"type": kind, "id": frame.id}).encode())  # type: ignore[union-attr]
            session.reply(frame.id, m.Ack(id=frame.id))
        return not isinstance(frame, m.Ice | m.History | m.Reject)

    def settled(self, session: Session) -> None:
        self.sessions.settle(session)

    def detached(self, session: Session) -> None:
        self.detached_sessions.append(session)

    def bye(self, session: Session) -> None:
        self.byes.append(session)


class Peer:
    """The browser's side."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def say(self, **frame: Any) -> None:
        await self.socket.send_str(json.dumps(frame))

    async def hear(self) -> dict[str, Any]:
        heard: dict[str, Any] = await self.socket.receive_json(timeout=5)
        return heard

    async def closed(self) -> int | None:
        message = await self.socket.receive(timeout=5)
        assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED), message
        return self.socket.close_code

    async def alive(self) -> None:
        await self.say(type="ping", id="alive")
        assert await self.hear() == {"type": "pong", "id": "alive"}


Open = Callable[..., Awaitable[Peer]]


@pytest.fixture
def gate() -> FakeGate:
    return FakeGate()


@pytest.fixture
async def connect(gate: FakeGate) -> AsyncIterator[Open]:
    server = WebServer(gate, lambda: True, public_url="http://localhost", allowed_origins=[], trusted_proxies=[], sockets_per_ip=100)
    client: TestClient[Any, Any] = TestClient(TestServer(server.app()))
    await client.start_server()

    async def connect(hello: dict[str, Any] | None = HELLO) -> Peer:
        peer = Peer(await client.ws_connect("/ws", protocols=(m.PROTOCOL,), max_msg_size=0))
        if hello is not None:
            await peer.say(**hello)
        return peer

    yield connect
    await client.close()


async def welcome(connect: Open, **hello: Any) -> tuple[Peer, str]:
    peer = await connect(HELLO | hello)
    heard = await peer.hear()
    assert heard["type"] == "welcome"
    return peer, heard["resume"]


async def test_no_hello_in_time(connect: Open, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "HELLO_WITHIN", 0.05)
    peer = await connect(None)
    assert await peer.closed() == 1008


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ('{"type":"ping","id":"h"}', "hello-first"),
        ("nonsense", "bad-frame"),
        ('{"type":"nonsense","id":"h"}', "unknown-type"),
        ('{"type":"hello","id":"h"}', "bad-frame"),
        ('{"type":"hello","id":"h","version":1}', "not-authorized"),
        ('{"type":"hello","id":"h","version":1,"token":"bug"}', "internal"),
        ('{"type":"hello","id":"h","version":1,"token":"' + "x" * 100_000 + '"}', "too-big"),
        ("[" * 90_000, "bad-frame"),
    ],
)
async def test_a_wrong_first_frame_gets_its_error_and_the_end(connect: Open, gate: FakeGate, first: str, code: str):
    peer = await connect(None)
    with logged() as lines:
        await peer.socket.send_str(first)
        heard = await peer.hear()
        assert await peer.closed() == 4001
    assert (heard["type"], heard["code"]) == ("error", code) and heard.get("id") in ("h", None)
    assert "secret" not in heard["message"] and gate.detached_sessions == []
    assert [line["event"] for line in lines] == (["hello-failed"] if code == "internal" else [])


async def test_a_binary_first_frame_ends_the_socket(connect: Open):
    peer = await connect(None)
    await peer.socket.send_bytes(b"{}")
    assert await peer.closed() == 1000


async def test_requests_are_acked_once_and_answers_repeated(connect: Open, gate: FakeGate):
    peer, _ = await welcome(connect)
    for _ in range(3):
        await peer.say(type="accept", id="1", call="c")
        assert await peer.hear() == {"type": "ack", "id": "1"}
    assert len(gate.requests) == 1
    for _ in range(2):
        await peer.say(type="presence", id="2")
        assert (await peer.hear())["code"] == "not-supported"
    assert len(gate.requests) == 2


@pytest.mark.parametrize("wanted", [{"type": "ice", "to": "bob@im.test"}, {"type": "history"}], ids=lambda r: r["type"])
async def test_what_was_asked_for_is_given_again_and_not_just_acked(connect: Open, gate: FakeGate, wanted: dict[str, str]):
    peer, _ = await welcome(connect)
    for _ in range(2):
        await peer.say(id="1", **wanted)
        assert [(await peer.hear())["type"] for _ in range(2)] == [wanted["type"], "ack"]
    assert len(gate.requests) == 2


async def test_a_request_that_is_answered_later_has_one_answer(connect: Open, gate: FakeGate):
    peer, _ = await welcome(connect)
    await peer.say(type="reject", id="1", call="c")
    await peer.say(type="accept", id="2", call="c")
    assert await peer.hear() == {"type": "ack", "id": "2"}
    gate.sessions.by_jid.popitem()[1].reply("1", m.Error(id="1", code="unknown-call", message="no such call"))
    assert (await peer.hear())["code"] == "unknown-call"
    await peer.say(type="reject", id="1", call="c")
    assert (await peer.hear())["code"] == "unknown-call", "repeated"
    assert [request.id for request in gate.requests] == ["1", "2"]


async def test_a_list_of_devices_is_given_again(connect: Open, gate: FakeGate):
    """The gate answers at once; the ack is the socket's."""
    peer, _ = await welcome(connect)
    for _ in range(2):
        await peer.say(type="devices", id="1")
        assert await peer.hear() == {"type": "ack", "id": "1"}
    assert len(gate.requests) == 2


@pytest.mark.parametrize(
    ("frame", "code", "id"),
    [
        ("nonsense", "bad-frame", None),
        ("[" * 50_000, "bad-frame", None),
        ('{"type":"accept","id":"1","call":' + "[" * 40 + "]" * 40 + "}", "bad-frame", "1"),
        ('{"type":"accept","id":"1"}', "bad-frame", "1"),
        ('{"type":"accept","call":"c"}', "bad-frame", None),
        ('{"type":"accept","call":"c","id":"' + "x" * 65 + '"}', "bad-frame", "x" * 65),
        ('{"type":"nonsense","id":"1"}', "unknown-type", "1"),
        ('{"type":"bye","id":"1","x":"' + "x" * 200_000 + '"}', "too-big", "1"),
        (json.dumps(HELLO), "out-of-order", "h"),
        ('{"type":"stats","id":"1","call":"c","connectionState":"new"}', "internal", "1"),
    ],
)
async def test_a_wrong_frame_gets_its_error_and_nothing_closes(connect: Open, frame: str, code: str, id: str | None):
    peer, _ = await welcome(connect)
    with logged() as lines:
        await peer.socket.send_str(frame)
        heard = await peer.hear()
        assert (heard["type"], heard["code"], heard.get("id")) == ("error", code, id) and "secret" not in heard["message"]
        await peer.alive()
    assert [line["event"] for line in lines if line["log_level"] == "error"] == (["request-failed"] if code == "internal" else [])


async def test_a_binary_frame_gets_an_error(connect: Open):
    peer, _ = await welcome(connect)
    await peer.socket.send_bytes(b'{"type":"bye","id":"1"}')
    heard = await peer.hear()
    assert (heard["code"], heard.get("id")) == ("bad-frame", None)
    await peer.alive()


async def test_a_message_that_is_not_even_read(connect: Open, gate: FakeGate):
    peer, _ = await welcome(connect)
    await peer.socket.send_str("x" * (module.MAX_MESSAGE + 1))
    assert await peer.closed() == 1009
    await until(lambda: gate.detached_sessions)


async def test_unknown_fields_are_ignored(connect: Open, gate: FakeGate):
    peer, _ = await welcome(connect, future={"a": 1})
    await peer.say(type="accept", id="1", call="c", future=[1])
    assert (await peer.hear())["type"] == "ack"


async def test_ping_confirms_events(connect: Open, gate: FakeGate):
    peer, _ = await welcome(connect)
    (session,) = gate.sessions.by_jid.values()
    for _ in range(3):
        session.event(m.Draining())
        assert (await peer.hear())["type"] == "draining"
    await peer.say(type="ping", id="1", seq=2)
    assert await peer.hear() == {"type": "pong", "id": "1"}
    assert not session.can_replay(1) and session.can_replay(2)


async def test_bye_ends_socket_and_session(connect: Open, gate: FakeGate):
    peer, _ = await welcome(connect)
    await peer.say(type="bye", id="1")
    assert await peer.hear() == {"type": "ack", "id": "1"}
    assert await peer.closed() == 1000
    assert len(gate.byes) == 1 and gate.detached_sessions == []


async def test_a_lost_socket_is_told_to_the_gate_once(connect: Open, gate: FakeGate):
    peer, _ = await welcome(connect)
    (session,) = gate.sessions.by_jid.values()
    await peer.socket.close()
    await until(lambda: gate.detached_sessions)
    assert gate.detached_sessions == [session] and session.wire is None


async def test_resumed_elsewhere_the_old_socket_is_closed_and_not_missed(connect: Open, gate: FakeGate):
    old, secret = await welcome(connect)
    new, _ = await welcome(connect, token=None, resume={"secret": secret})
    assert await old.closed() == 4000
    await new.alive()
    assert gate.detached_sessions == [] and len(gate.sessions.by_jid) == 1


async def test_a_frame_of_the_old_socket_after_a_resume_is_not_carried_out(connect: Open, gate: FakeGate):
    old, _ = await welcome(connect)
    (session,) = gate.sessions.by_jid.values()
    session.wire = None
    await old.say(type="accept", id="1", call="c")
    assert await old.closed() == 1000 and gate.requests == []


class Pipe(asyncio.Transport):
    """A transport. What is written stays in its buffer while `reads` is off."""

    def __init__(self, reads: bool = False) -> None:
        super().__init__()
        self.reads = reads
        self.writes: list[bytes] = []
        self.buffered = 0
        self.aborted = self.closed = False
        self.reading = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def write(self, data: Any) -> None:
        self.writes.append(data)
        self.buffered += 0 if self.reads else len(data)

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    @property
    def code(self) -> int:
        """Of the close frame, which is the last thing written."""
        return int.from_bytes(self.writes[-1][2:4], "big") if self.writes and self.writes[-1][0] == 0x88 else 0


@pytest.fixture
async def piped(gate: FakeGate) -> AsyncIterator[Callable[[Pipe], Socket]]:
    made: list[Socket] = []

    def make(pipe: Pipe) -> Socket:
        made.append(Socket(gate, "192.0.2.1"))
        made[-1].start(pipe)
        return made[-1]

    yield make
    for connection in made:
        connection.connection_lost(None)


Piped = Callable[[Pipe], Socket]


def masked(text: str | bytes, opcode: int = 1) -> bytes:
    """A frame of a client."""
    payload = text.encode() if isinstance(text, str) else text
    size = len(payload)
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    mask = b"\x11\x22\x33\x44"
    return bytes((0x80 | opcode,)) + length + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


async def test_a_slow_reader_is_closed_with_1013_and_costs_no_more(piped: Piped, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "CLOSE_WITHIN", 0.02)
    pipe = Pipe()
    connection = piped(pipe)
    frame = b"x" * 1024
    for _ in range(module.MAX_QUEUE // 1024 + 50):
        connection.send(frame)
        await asyncio.sleep(0)
    assert pipe.buffered <= module.MAX_QUEUE + 100 and not connection._out, "what it will not read is not kept"
    assert pipe.code == 1013
    written = len(pipe.writes)
    connection.send(frame)
    connection.close(1000, "")
    await asyncio.sleep(0)
    assert pipe.code == 1013 and len(pipe.writes) == written
    await until(lambda: pipe.aborted)


async def test_too_much_in_one_turn_is_too_slow_as_well(piped: Piped):
    pipe = Pipe(reads=True)
    connection = piped(pipe)
    for _ in range(module.MAX_QUEUE // 1024 + 1):
        connection.send(b"x" * 1024)
    assert pipe.code == 1013 and len(pipe.writes) == 1


async def test_a_reader_that_keeps_up_is_never_too_slow(piped: Piped):
    pipe = Pipe(reads=True)
    connection = piped(pipe)
    for _ in range(module.MAX_QUEUE // 1024 + 50):
        connection.send(b"x" * 1024)
        await asyncio.sleep(0)
    connection.close(1000, "")
    assert pipe.code == 1000 and len(pipe.writes) == module.MAX_QUEUE // 1024 + 51


async def test_frames_of_one_turn_leave_in_one_write_before_the_close(piped: Piped):
    pipe = Pipe(reads=True)
    connection = piped(pipe)
    connection.send(b"1")
    connection.send(b"2")
    assert pipe.writes == []
    connection.close(1000, "")
    assert pipe.writes[0] == b"\x81\x011\x81\x012" and pipe.code == 1000


async def test_nothing_is_written_to_a_socket_that_is_closed(piped: Piped):
    pipe = Pipe(reads=True)
    connection = piped(pipe)
    connection.send(b"1")
    pipe.closed = True
    await asyncio.sleep(0)
    connection.close(1000, "")
    connection.connection_lost(None)
    connection.send(b"1")
    connection.abort()
    assert pipe.writes == [] and not pipe.aborted


async def test_who_is_silent_is_asked_and_then_dropped(piped: Piped):
    pipe = Pipe(reads=True)
    connection = piped(pipe)
    began = connection.heard_at
    connection.pulse(began + module.PING_AFTER - 0.1)
    assert pipe.writes == []
    connection.pulse(began + module.PING_AFTER)
    assert pipe.writes == [b"\x89\x00"]
    connection.data_received(masked("", 10))  # its pong
    assert connection.heard_at > began
    connection.pulse(connection.heard_at + module.DEAD_AFTER - 0.1)
    assert not pipe.aborted
    connection.pulse(connection.heard_at + module.DEAD_AFTER)
    assert pipe.aborted


async def test_pings_of_the_client_are_answered(piped: Piped):
    pipe = Pipe(reads=True)
    connection = piped(pipe)
    connection.data_received(masked("hello?", 9))
    assert pipe.writes == [b"\x8a\x06hello?"]


async def test_who_pings_and_reads_no_answer_is_dropped(piped: Piped):
    """The answers would fill the memory."""
    pipe = Pipe()
    connection = piped(pipe)
    for _ in range(40):
        connection.data_received(masked(b"x" * 125, 9) * 200)
    assert pipe.aborted and pipe.buffered <= module.MAX_QUEUE + 127


@pytest.mark.parametrize(("data", "code"), [
    (b"\x81\x05hello", 1002), (b"\xc1\x85", 1002), (b"\x83\x80\0\0\0\0", 1002), (b"\x81\xff" + b"\x7f" * 12, 1009),
])  # fmt: skip
async def test_what_breaks_the_protocol_ends_the_socket(piped: Piped, data: bytes, code: int):
    pipe = Pipe(reads=True)
    connection = piped(pipe)
    connection.data_received(data)
    assert pipe.code == code
    connection.data_received(masked(json.dumps(HELLO)))
    await asyncio.sleep(0)
    assert len(pipe.writes) == 1, "nothing is read any more"


async def greeted(piped: Piped, gate: FakeGate) -> tuple[Socket, Pipe, Session]:
    pipe = Pipe(reads=True)
    connection = piped(pipe)
    connection.data_received(masked(json.dumps(HELLO)))
    await until(lambda: connection.session is not None)
    await asyncio.sleep(0)
    pipe.writes.clear()
    (session,) = gate.sessions.by_jid.values()
    return connection, pipe, session


async def test_text_that_is_not_utf_8_ends_the_socket(piped: Piped, gate: FakeGate):
    connection, pipe, _ = await greeted(piped, gate)
    connection.data_received(masked(b'{"type":"accept","id":"1","call":"\xff"}'))
    assert pipe.code == 1007 and gate.requests == []


async def test_who_sends_much_at_once_waits_for_their_turn(piped: Piped, gate: FakeGate):
    """Others are served meanwhile, and no more is read until this is handled."""
    connection, pipe, _ = await greeted(piped, gate)
    many = 5 * module.TURN
    connection.data_received(b"".join(masked(f'{{"type":"accept","id":"{n}","call":"c"}}') for n in range(many)))
    assert len(gate.requests) == module.TURN and not pipe.reading
    await asyncio.sleep(0)
    assert len(gate.requests) == 2 * module.TURN
    connection.data_received(masked('{"type":"accept","id":"last","call":"c"}'))  # was in the pipe
    assert len(gate.requests) == 2 * module.TURN
    await until(lambda: pipe.reading)
    assert [r.id for r in gate.requests] == [*map(str, range(many)), "last"], "in order"


async def test_who_goes_on_sending_much_is_read_slowly(piped: Piped, gate: FakeGate, monkeypatch: pytest.MonkeyPatch):
    """A turn for each is not enough against somebody who never stops: the others would share what is left."""
    monkeypatch.setattr(module, "BURST", 40.0)
    monkeypatch.setattr(module, "PACE", 200.0)
    connection, pipe, _ = await greeted(piped, gate)
    began = asyncio.get_running_loop().time()
    connection.data_received(b"".join(masked(f'{{"type":"accept","id":"{n}","call":"c"}}') for n in range(80)))
    await until(lambda: len(gate.requests) == 80)
    assert not pipe.reading, "what it sent is handled, and it has to wait before more is read"
    await until(lambda: pipe.reading)
    assert asyncio.get_running_loop().time() - began > 0.15


async def test_frames_behind_the_hello_wait_for_it(piped: Piped, gate: FakeGate):
    pipe = Pipe(reads=True)
    connection = piped(pipe)
    frame = masked('{"type":"accept","id":"1","call":"c"}')
    connection.data_received(masked(json.dumps(HELLO)) + frame)
    assert gate.requests == [] and not pipe.reading
    await until(lambda: bool(gate.requests))
    assert pipe.reading and connection.session is not None


async def test_a_socket_that_is_lost_during_its_hello(piped: Piped, gate: FakeGate):
    connection = piped(Pipe())
    connection.data_received(masked(json.dumps(HELLO)))
    connection.connection_lost(None)
    await until(lambda: gate.detached_sessions)
    assert gate.detached_sessions[0].wire is None


async def test_the_close_of_the_client_is_answered_after_what_it_said_before(piped: Piped, gate: FakeGate):
    connection, pipe, _ = await greeted(piped, gate)
    connection.data_received(masked('{"type":"accept","id":"1","call":"c"}') + masked(b"\x03\xe8bye", 8) + masked("x"))
    assert [r.id for r in gate.requests] == ["1"] and pipe.closed
    assert pipe.writes[-1] == b"\x88\x02\x03\xe8" and b'"ack"' in pipe.writes[0]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 90_000])
async def test_frames_of_every_size_arrive(connect: Open, gate: FakeGate, size: int):
    peer, _ = await welcome(connect)
    (session,) = gate.sessions.by_jid.values()
    assert session.wire is not None
    session.wire.send(b"x" * size)
    assert await peer.socket.receive_str(timeout=5) == "x" * size
    await peer.alive()


def test_limits_are_those_of_the_design():
    assert (module.HELLO_WITHIN, frames.MAX_FRAME, frames.MAX_DEPTH, module.MAX_QUEUE) == (5.0, 96 * 1024, 16, 256 * 1024)
    assert module.DEAD_AFTER + module.PULSE <= 15, "a dead socket is found within 15 s"
    assert module.PING_AFTER + module.PULSE < module.DEAD_AFTER, "and was asked before"
