"""The operator's socket: one line each way, mode 0600, and no nonsense stops it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jinglebridge.calls import events as ev
from jinglebridge.calls.model import CallState, PeerInfo, Timers
from jinglebridge.calls.timeline import Timeline
from jinglebridge.calls.turn import Turn
from jinglebridge.errors import OperatorError
from jinglebridge.service import admin
from jinglebridge.service.admin import AdminSocket, ask
from tests.unit.fakes import logged, until

STATE = CallState("c1", "s1", "out", "anna@call.test/w", "bob@im.test/r", "Bob", ["audio"], 0.0)
STATE.own_sdp, STATE.peer_xml = "a=ice-pwd:secret", "<jingle pwd='secret'/>"


SDP = "v=0\r\na=ice-pwd:secret\r\na=mid:0\r\n"


def timeline() -> Timeline:
    """One call that is over, "c2", and one that lives, "c1"."""
    made = Timeline()
    for call in ("c2", "c1"):
        state = STATE if call == "c1" else dataclasses.replace(STATE, call="c2", sid="s2")
        turn = Turn(state, 1.0, Timers(), lambda own, peer: PeerInfo())
        made.came(turn, ev.Placed(call, "bob@im.test", SDP))
        if call == "c2":
            turn.note("call-ended", "failed")
            made.left(turn)
            made.over(turn)
    return made


class FakeBridge:
    def __init__(self) -> None:
        self.link = SimpleNamespace(ready=True)
        self.registry = SimpleNamespace(calls={"key": STATE}, timeline=timeline())
        self.sessions = SimpleNamespace(by_jid={})
        self.stops: list[bool] = []

    async def stop(self, *, end_calls: bool) -> None:
        self.stops.append(end_calls)


@pytest.fixture
def folder() -> Any:
    made = Path(tempfile.mkdtemp(prefix="jb-"))  # short: a socket path has at most 107 bytes
    yield made
    shutil.rmtree(made)


@pytest.fixture
async def bridge(folder: Path) -> AsyncIterator[FakeBridge]:
    fake = FakeBridge()
    socket = AdminSocket(folder / "admin.sock", fake)  # type: ignore[arg-type]
    await socket.start()
    yield fake
    await socket.stop()
    await socket.stop()
    assert not (folder / "admin.sock").exists()


async def test_only_the_owner_may_connect(bridge: FakeBridge, folder: Path):
    assert stat.S_IMODE((folder / "admin.sock").stat().st_mode) == 0o600


async def test_status_and_calls(bridge: FakeBridge, folder: Path):
    assert await ask(folder / "admin.sock", "status") == {"ok": True, "ready": True, "calls": 1, "sessions": 0}
    answer = await ask(folder / "admin.sock", "calls")
    over, call = answer["calls"]
    assert (call["call"], call["sid"], call["own"], call["with"]) == ("c1", "s1", "anna@call.test/w", "bob@im.test")
    assert (over["call"], over["state"], over["reason"], over["by"]) == ("c2", "ended", "failed", "bridge")
    assert "secret" not in json.dumps(answer)


@pytest.mark.parametrize("id", ["c1", "s1", "c2", "s2"])
async def test_one_call_step_by_step(bridge: FakeBridge, folder: Path, id: str):
    answer = await ask(folder / "admin.sock", "show", id=id)
    (call,) = answer["calls"]
    assert id in (call["call"], call["sid"]) and call["steps"][0] == {
        "at": 1.0, "from": "page", "to": "bridge", "what": "call", "detail": "offer 0",
    }  # fmt: skip
    assert "secret" not in json.dumps(answer) and call["texts"] is True
    unsafe = await ask(folder / "admin.sock", "show", id=id, unsafe=True)
    assert unsafe["calls"][0]["steps"][0]["text"] == SDP


async def test_an_id_of_several_calls_or_none(bridge: FakeBridge, folder: Path):
    several = (await ask(folder / "admin.sock", "show", id="c"))["calls"]
    assert [call["call"] for call in several] == ["c1", "c2"] and not any("steps" in call for call in several)
    assert (await ask(folder / "admin.sock", "show", id="x"))["calls"] == []


@pytest.mark.parametrize("end", [True, False])
async def test_stop(bridge: FakeBridge, folder: Path, end: bool):
    await ask(folder / "admin.sock", "stop", end_calls=end)
    await until(lambda: bridge.stops)
    assert bridge.stops == [end]


async def test_an_unknown_command_is_refused(bridge: FakeBridge, folder: Path):
    with pytest.raises(OperatorError, match="the bridge refused: unknown command"):
        await ask(folder / "admin.sock", "explode")


@pytest.mark.parametrize(
    "line", [b"\n", b"nonsense\n", b"[]\n", b"{}\n", b"7\n", b'{"command": null}\n', b"\xff\xfe\n", b"[" * 30_000 + b"\n", b""]
)
async def test_nonsense_gets_an_answer_or_nothing_and_the_next_is_served(bridge: FakeBridge, folder: Path, line: bytes):
    reader, writer = await asyncio.open_unix_connection(str(folder / "admin.sock"))
    with logged():
        writer.write(line)
        writer.write_eof()
        answer = json.loads(await reader.readline())
    assert answer["ok"] is False
    writer.close()
    await writer.wait_closed()
    assert (await ask(folder / "admin.sock", "status"))["ok"]


async def test_a_line_without_end_is_cut(bridge: FakeBridge, folder: Path):
    reader, writer = await asyncio.open_unix_connection(str(folder / "admin.sock"))
    writer.write(b"x" * (admin.MAX_LINE * 3))
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    with contextlib.suppress(ConnectionError):
        writer.close()
        await writer.wait_closed()
    assert (await ask(folder / "admin.sock", "status"))["ok"]


async def test_a_bug_is_logged_and_not_shown(bridge: FakeBridge, folder: Path):
    bridge.registry = SimpleNamespace()
    with logged() as lines, pytest.raises(OperatorError, match="internal error; see the log"):
        await ask(folder / "admin.sock", "calls")
    assert [line["event"] for line in lines] == ["admin-command-failed"]


async def test_nobody_there(folder: Path):
    with pytest.raises(OperatorError, match="no bridge is running here"):
        await ask(folder / "none.sock", "status")


async def test_a_bridge_that_says_nothing(folder: Path):
    gone = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        gone.set()

    server = await asyncio.start_unix_server(silent, str(folder / "s"))
    with pytest.raises(OperatorError, match="does not answer within 0 s"):
        await ask(folder / "s", "status", timeout=0.02)
    await gone.wait()
    server.close()


async def test_a_bridge_that_hangs_up(folder: Path):
    gone = asyncio.Event()

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()
        await writer.wait_closed()
        gone.set()

    server = await asyncio.start_unix_server(hang_up, str(folder / "s"))
    with pytest.raises(OperatorError, match="closed the connection"):
        await ask(folder / "s", "status")
    await gone.wait()
    server.close()


async def test_a_left_over_socket_is_replaced(folder: Path):
    path = folder / "admin.sock"
    path.write_text("left over")
    socket = AdminSocket(path, FakeBridge())  # type: ignore[arg-type]
    await socket.start()
    assert (await ask(path, "status"))["ok"]
    await socket.stop()


@pytest.mark.parametrize("where", ["none/admin.sock", "x" * 120, "folder"])
async def test_a_path_that_cannot_be_used(folder: Path, where: str):
    (folder / "folder").mkdir()
    with pytest.raises(OperatorError, match=r"\[admin\] socket") as caught:
        await AdminSocket(folder / where, FakeBridge()).start()  # type: ignore[arg-type]
    assert "None" not in str(caught.value)
