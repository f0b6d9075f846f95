"""What idle people cost: memory and CPU per open page, a storm of logins, and presence that fans out.

    python benchmarks/people.py --short
    python benchmarks/people.py --markdown

Everybody is a web user with three others as contacts, in groups of four, so each contact costs the bridge twice: it sends the presence and
it receives it again from the server. Real ejabberd, real WebSockets; the pages' own CPU is not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import resource
import secrets
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop
from calls_lab import BridgeProcess, Server

GROUP = 4  # people who have each other as contacts
PING = 10.0  # seconds, as client/signalling.js does
PATIENCE = 120.0


class Page(asyncio.Protocol):
    """The least that is a page: RFC 6455 as a client, frames up to 64 KiB, answers pings, asks every 10 s whether the bridge is there."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = self.loop.create_future()
        self.welcomed: asyncio.Future[float] = self.loop.create_future()
        self.online: set[str] = set()  # contacts that are there
        self.statuses: dict[str, str] = {}
        self.heard = asyncio.Event()
        self._data = b""
        self._count = 0
        self._seq = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def hello(self, port: int, token: str) -> None:
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        head = f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        self.transport.write(f"{head}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: jinglebridge.v1\r\n\r\n".encode())
        self._token = token

    def say(self, kind: str, **fields: Any) -> None:
        self._count += 1
        self._frame(0x81, json.dumps({"type": kind, "id": str(self._count), **fields}).encode())

    def _frame(self, first: int, payload: bytes) -> None:
        """Masked with zeros, which leaves the payload as it is."""
        size = len(payload)
        length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        self.transport.write(bytes((first,)) + length + b"\0\0\0\0" + payload)

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self.opened.done():
            head, end, rest = self._data.partition(b"\r\n\r\n")
            if not end:
                return
            assert b" 101 " in head.partition(b"\r\n")[0], head
            self._data = rest
            self.opened.set_result(None)
            self.say("hello", version=1, token=self._token)
        while (frame := self._next()) is not None:
            opcode, payload = frame
            if opcode == 9:
                self._frame(0x8A, payload)
            elif opcode == 1:
                self._message(json.loads(payload))

    def _next(self) -> tuple[int, bytes] | None:
        data = self._data
        if len(data) < 2:
            return None
        size, at = data[1] & 127, 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(data[2:10], "big"), 10
        if len(data) < at + size:
            return None
        self._data = data[at + size :]
        return data[0] & 15, data[at : at + size]

    def _message(self, frame: dict[str, Any]) -> None:
        self._seq = max(self._seq, frame.get("seq", 0))
        if frame["type"] == "welcome":
            self.welcomed.set_result(time.perf_counter())
            self.jid = frame["jid"].partition("/")[0]
            for contact in frame["contacts"]:
                self._contact(contact)
            self._ping(first=True)
        elif frame["type"] == "contact":
            self._contact(frame["contact"])
        elif frame["type"] == "error":
            raise RuntimeError(frame)

    def _contact(self, contact: dict[str, Any]) -> None:
        if contact["presence"] in ("available", "away", "dnd"):
            self.online.add(contact["jid"])
            self.statuses[contact["jid"]] = contact["status"]
        self.heard.set()

    def _ping(self, *, first: bool = False) -> None:
        if not first:
            self.say("ping", seq=self._seq)
        self._timer = self.loop.call_later(PING * (secrets.randbelow(1000) / 1000 if first else 1), self._ping)

    async def until(self, condition: Any) -> None:
        while not condition():
            self.heard.clear()
            await self.heard.wait()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.transport.close()


class House:
    """All people of one run."""

    def __init__(self, bridge: BridgeProcess) -> None:
        self.bridge = bridge
        self.pages: list[Page] = []

    def contacts(self, number: int) -> list[str]:
        first = number - number % GROUP
        return [f"p{n}@{self.bridge.server.component}" for n in range(first, first + GROUP) if n != number]

    async def enter(self, number: int) -> tuple[Page, float]:
        """The page, and the seconds from opening the socket to `welcome`."""
        token = self.bridge.token(f"p{number}", self.contacts(number))
        began = time.perf_counter()
        loop = asyncio.get_running_loop()
        _, page = await loop.create_connection(Page, "127.0.0.1", self.bridge.port)
        page.hello(self.bridge.port, token)
        return page, await page.welcomed - began

    async def come(self, count: int, per_second: float) -> list[float]:
        """So many more log in, at this rate whatever the bridge does; seconds that each took."""
        began, first = time.perf_counter(), len(self.pages)
        tasks = []
        for n in range(count):
            delay = began + n / per_second - time.perf_counter()
            if delay > 0:
                await asyncio.sleep(delay)
            tasks.append(asyncio.create_task(self.enter(first + n)))
        found = await asyncio.gather(*tasks)
        self.pages += [page for page, _ in found]
        return [seconds for _, seconds in found]

    async def acquainted(self) -> None:
        """Until everybody sees their contacts online."""
        async with asyncio.timeout(PATIENCE):
            for page in self.pages:
                await page.until(lambda page=page: len(page.online) >= GROUP - 1)

    async def rest(self) -> None:
        """Until the bridge has nothing left to do: less than 2 % more of a core than the pings need."""
        before, quiet = self.bridge.cpu, 0
        for _ in range(60):
            await asyncio.sleep(1)
            now = self.bridge.cpu
            quiet = quiet + 1 if now - before < 0.02 + len(self.pages) * 6e-5 else 0
            if quiet >= 2:
                return
            before = now

    async def fan_out(self, count: int) -> tuple[float, list[float]]:
        """So many people change their status one after the other; CPU seconds each, and seconds until the last contact knew."""
        before, took = self.bridge.cpu, []
        for n, page in enumerate(self.pages[:count]):
            word = f"status {n} {secrets.token_hex(4)}"
            group = [p for p in self.pages[n - n % GROUP : n - n % GROUP + GROUP] if p is not page]
            began = time.perf_counter()
            page.say("presence", show="away", status=word)
            async with asyncio.timeout(PATIENCE):
                for other in group:
                    await other.until(lambda other=other, page=page, word=word: other.statuses.get(page.jid) == word)
            took.append(time.perf_counter() - began)
        return (self.bridge.cpu - before) / count, took


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def measure(args: argparse.Namespace, bridge: BridgeProcess, server: Server) -> list[dict[str, float]]:
    house, rows = House(bridge), []
    await asyncio.sleep(1)
    empty = bridge.resident
    for size in args.sizes:
        more = size - len(house.pages)
        spent, theirs, began = bridge.cpu, server.cpu, time.perf_counter()
        waits = await house.come(more, args.rate)
        await house.acquainted()
        storm = time.perf_counter() - began
        await house.rest()
        row: dict[str, float] = {"people": size, "storm s": storm, "welcome p50 ms": 1000 * statistics.median(waits)}
        row |= {"welcome p99 ms": 1000 * quantile(waits, 0.99), "login CPU ms": 1000 * (bridge.cpu - spent) / more}
        row |= {"login CPU ejabberd ms": 1000 * (server.cpu - theirs) / more, "KiB each": (bridge.resident - empty) / size}
        spent, began = bridge.cpu, time.perf_counter()
        await asyncio.sleep(args.idle)
        row["idle CPU us/s"] = 1e6 * (bridge.cpu - spent) / (time.perf_counter() - began) / size
        each, took = await house.fan_out(min(args.changes, size))
        row |= {"change CPU ms": 1000 * each, "change p50 ms": 1000 * statistics.median(took), "change p99 ms": 1000 * quantile(took, 0.99)}
        rows.append(row)
        sys.stderr.write(f"{row}\n")
    for page in house.pages:
        page.close()
    return rows


def table(rows: list[dict[str, float]]) -> str:
    heads = list(rows[0])
    lines = ["| " + " | ".join(heads) + " |", "|" + "---:|" * len(heads)]
    lines += ["| " + " | ".join(f"{row[h]:.0f}" if row[h] >= 100 else f"{row[h]:.2f}" for h in heads) + " |" for row in rows]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 4000, 10_000], help="people, growing")
    parser.add_argument("--rate", type=float, default=170.0, help="logins per second: 10 000 in a minute")
    parser.add_argument("--idle", type=float, default=30.0, help="seconds of idling that are measured")
    parser.add_argument("--changes", type=int, default=400, help="changes of status that are measured")
    parser.add_argument("--short", action="store_true", help="100, 400 and 1000 people")
    parser.add_argument("--markdown", action="store_true", help="the table as docs have it")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if args.short:
        args.sizes, args.idle, args.changes = [100, 400, 1000], 12.0, 100
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if max(args.sizes) + 200 > hard:
        sys.exit(f"{max(args.sizes)} sockets need a higher limit of open files than {hard} (ulimit -n)")
    with tempfile.TemporaryDirectory(prefix="people-") as name:
        folder = Path(name)
        server = Server(folder / "ejabberd", spin=False)
        server.start()
        try:
            with BridgeProcess(folder / "bridge", server, "warning") as bridge:
                rows = uvloop.run(measure(args, bridge, server))
                complaints = bridge.complaints()
        finally:
            server.stop()
    sys.stdout.write(table(rows) + "\n" if args.markdown else json.dumps(rows, indent=2) + "\n")
    if args.json:
        args.json.write_text(json.dumps(rows))
    if complaints:
        sys.exit("the bridge complained:\n" + "\n".join(complaints[:10]))


if __name__ == "__main__":
    os.chdir(Path(__file__).parent)
    main()
