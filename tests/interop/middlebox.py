"""A middlebox as some networks have one: HTTP passes, WebSockets do not. It can also lose all that passes. No tests here."""

from __future__ import annotations

import asyncio
import re
import threading
from typing import Literal

REQUEST = re.compile(rb"(?:^|\r\n|\n)((?:GET|POST|OPTIONS) \S+) HTTP/1\.1\r\n")


class Middlebox:
    """Listens on 127.0.0.1. `upgrades`: refuse (answers 403), close (says nothing and closes), pass."""

    def __init__(self, target: int, upgrades: Literal["refuse", "close", "pass"] = "refuse") -> None:
        self.upgrades = upgrades
        self.refused = 0
        self.requests: list[str] = []  # "POST /stream"
        self.cookies = False
        self._target = target
        self._down = False
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._client, "127.0.0.1", 0), self._loop).result(5)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"http://localhost:{self.port}"

    def close(self) -> None:
        self.mend()
        self.cut()
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def count(self, request: str) -> int:
        return self.requests.count(request)

    def cut(self) -> None:
        """Every connection breaks, and no new one comes about until `mend`."""
        self._down = True
        done = threading.Event()

        def abort() -> None:
            for writer in tuple(self._writers):
                writer.transport.abort()
            done.set()

        self._loop.call_soon_threadsafe(abort)
        done.wait(5)

    def freeze(self) -> None:
        """Nothing passes any more, and nobody is told: a tunnel, a radio that is out of reach."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def mend(self) -> None:
        self._down = False
        self._loop.call_soon_threadsafe(self._flows.set)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A browser opens a connection of its own for each WebSocket: the first request tells."""
        self._writers.add(writer)
        await self._flows.wait()
        try:
            head = b"" if self._down else await reader.readuntil(b"\r\n\r\n")
            if not head:
                writer.transport.abort()
            elif b"upgrade: websocket" in head.lower() and self.upgrades != "pass":
                self.refused += 1
                if self.upgrades == "refuse":
                    writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                writer.close()
            else:
                await self._relay(head, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            self._writers.discard(writer)

    async def _relay(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, out = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers.add(out)
        self._look(head)
        out.write(head)
        try:
            await asyncio.gather(self._pass(reader, out, look=True), self._pass(there, writer, look=False))
        finally:
            self._writers.discard(out)
            out.transport.abort()
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, look: bool) -> None:
        while data := await reader.read(65536):
            if look:
                self._look(data)
            await self._flows.wait()
            writer.write(data)
            await writer.drain()
        writer.close()

    def _look(self, data: bytes) -> None:
        self.requests += [line.decode() for line in REQUEST.findall(data)]
        self.cookies = self.cookies or b"\r\ncookie:" in data.lower()
