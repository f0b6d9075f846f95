"""A private coturn, from the recipe in `prosody/turnserver.conf`."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aioice.stun
import aioice.turn

from jinglebridge.demo.lab import LabError, free_port

from .bridge import wait_for

RECIPE = Path(__file__).parents[2] / "prosody" / "turnserver.conf"
RANGE = 60  # relay ports


@dataclass(frozen=True)
class Coturn:
    port: int
    secret: str
    log: Path

    @property
    def url(self) -> str:
        return f"turn:127.0.0.1:{self.port}?transport=udp"

    def credentials(self, lifetime: int = 600) -> tuple[str, str]:
        name = f"{int(time.time()) + lifetime}:somebody"
        return name, base64.b64encode(hmac.new(self.secret.encode(), name.encode(), hashlib.sha1).digest()).decode()


@contextmanager
def coturn(folder: Path) -> Iterator[Coturn]:
    """The recipe with what it says to change; beside that only 127.0.0.1, where everything in the tests is, is no private network."""
    program = shutil.which("turnserver")
    if program is None:
        raise LabError("coturn is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    made = Coturn(free_port(), secrets.token_hex(32), folder / "turn.log")
    first = 20_000 + secrets.randbelow(20_000)
    text = RECIPE.read_text()
    changes = {
        "listening-port=3478": f"listening-port={made.port}\nlistening-ip=127.0.0.1\nrelay-ip=127.0.0.1\nallow-loopback-peers",
        "min-port=49152": f"min-port={first}",
        "max-port=65535": f"max-port={first + RANGE}",
        "external-ip=203.0.113.5": f"pidfile={folder / 'turn.pid'}\nuserdb={folder / 'turn.db'}",
        "static-auth-secret=CHANGE-THIS-TURN-SECRET": f"static-auth-secret={made.secret}",
        "denied-peer-ip=127.0.0.0-127.255.255.255\n": "",
    }
    for old, new in changes.items():
        assert text.count(old) == 1, f"the recipe no longer says {old}"
        text = text.replace(old, new)
    (folder / "turnserver.conf").write_text(text)
    with made.log.open("wb") as log:
        command = [program, "-c", str(folder / "turnserver.conf"), "--log-file=stdout", "--simple-log"]
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        wait_for("coturn listens", lambda: process.poll() is not None or _listens(made.port))
        assert process.poll() is None, made.log.read_text(errors="replace")
        yield made
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    """TCP and UDP are opened together."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class Heard(asyncio.DatagramProtocol):
    """What comes of a datagram through the relay."""

    def __init__(self) -> None:
        self.refused: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        self.closed = asyncio.Event()

    def error_received(self, exc: Exception) -> None:
        if not self.refused.done():
            self.refused.set_result(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()


async def leads_nowhere(port: int, username: str | None, password: str | None, address: str) -> None:
    """A relay of this machine refuses to send to that address (403)."""
    transport, heard = await aioice.turn.create_turn_endpoint(Heard, server_addr=("127.0.0.1", port), username=username, password=password)
    try:
        transport.sendto(b"hello", (address, 80))
        async with asyncio.timeout(20):
            error = await heard.refused
        assert isinstance(error, aioice.stun.TransactionFailed) and error.response.attributes["ERROR-CODE"][0] == 403, error
    finally:
        transport.close()
        await heard.closed.wait()
