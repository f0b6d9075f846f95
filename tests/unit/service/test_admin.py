"""The operator's socket: one line each way, mode 0600, and no nonsense stops it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jinglebridge.calls.model import CallState
from jinglebridge.errors import OperatorError
from jinglebridge.service import admin
from jinglebridge.service.admin import AdminSocket, ask
from tests.unit.fakes import logged, until

STATE = CallState("c", "s", "out", "anna@call.test/w", "bob@im.test/r", "Bob", ["audio"], 0.0)
STATE.own_sdp, STATE.peer_xml = "a=ice-pwd:secret", "<jingle pwd='secret'/>"


class FakeBridge:
    def __init__(self) -> None:
        self.link = SimpleNamespace(ready=True)
        self.registry = SimpleNamespace(calls={"key": STATE})
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
    (call,) = answer["calls"]
    assert (call["call"], call["sid"], call["own"], call["with"]) == ("c", "s", "anna@call.test/w", "bob@im.test")
    assert "secret" not in json.dumps(answer)


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
