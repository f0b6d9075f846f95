"""The control socket: JSON lines on a unix socket. Requests may carry an `id`, which comes back; events are pushed to everybody.

Commands: call, accept, decline, hangup, retract, mute, unmute, auto, tone, report, subscribe, reset, quit.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .client import Contact

AUTO = ("accept", "ring", "decline", "ignore")


class Control:
    """`stopped` is set by the command quit."""

    def __init__(self, contact: Contact) -> None:
        self.contact = contact
        self.stopped = asyncio.Event()

    async def listen(self, path: Path) -> asyncio.Server:
        """Raises OSError (a path of a unix socket is limited to 107 bytes)."""
        path.unlink(missing_ok=True)  # noqa: ASYNC240 - once, at start
        server = await asyncio.start_unix_server(self._serve, str(path), limit=1 << 20)
        path.chmod(0o600)  # noqa: ASYNC240
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def push(message: dict[str, Any]) -> None:
            writer.write(json.dumps(message).encode() + b"\n")

        self.contact.observers.add(push)
        try:
            while line := await reader.readline():
                push(await self._answer(line))
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            self.contact.observers.discard(push)
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        identifier = None
        try:
            request = json.loads(line)
            identifier = request.get("id")
            return {"ok": True, "id": identifier} | await self.perform(request)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return {"ok": False, "id": identifier, "error": str(error) or repr(error)}

    async def perform(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do one command. Raises ValueError (not possible now), KeyError (argument missing)."""
        contact, command = self.contact, request["cmd"]
        if command == "report":
            return await self.report(log=request.get("log", True))
        if command == "call":
            call = contact.dial(request["to"], list(request.get("media", ["audio"])), bool(request.get("direct")))
            return {"call": call.sid}
        if command == "auto":
            if request["mode"] not in AUTO:
                raise ValueError(f"mode is one of {', '.join(AUTO)}")
            contact.auto = request["mode"]
            contact.options.answer_after = float(request.get("after", contact.options.answer_after))
        elif command == "tone":
            contact.tone = float(request["hz"]) if request.get("hz") else None
            if contact.current and contact.current.rtc:
                contact.current.rtc.voice.tone = contact.tone
        elif command == "subscribe":
            contact.people.subscribe(request["jid"])
        elif command == "reset":
            contact.violations.clear()
            contact.log.clear()
        elif command == "quit":
            self.stopped.set()
        else:
            self._in_call(command)
        return {}

    def _in_call(self, command: str) -> None:
        call = self.contact.current
        if call is None or not call.live:
            raise ValueError("no call")
        actions: dict[str, Callable[[], None]] = {
            "accept": call.accept, "decline": call.decline, "hangup": call.hang_up, "retract": call.hang_up,
            "mute": lambda: call.mute(True), "unmute": lambda: call.mute(False),
        }  # fmt: skip
        if command not in actions:
            raise ValueError(f"unknown command {command!r}")
        actions[command]()

    async def report(self, *, log: bool = True) -> dict[str, Any]:
        """Everything that is known; sound and picture are those of the current call, or of the last one."""
        contact, call = self.contact, self.contact.current
        heard: dict[str, Any] = {"hz": None, "level": -120.0, "share": 0.0, "silence": True, "frames": 0, "age": None}
        video, packets = {"frames": 0, "size": [0, 0]}, {"audio": 0, "video": 0}
        if call and call.rtc:
            heard = call.rtc.listener.heard()
            video = {"frames": call.rtc.watcher.frames, "size": list(call.rtc.watcher.size)}
            packets = await call.rtc.packets()
        return {
            "jid": contact.full, "online": contact.ready.is_set(), "shape": contact.shape.name, "auto": contact.auto, "tone": contact.tone,
            "peers": contact.people.sessions, "call": call.summary() if call else None,
            "calls": [c.summary() for c in contact.calls.values()], "heard": heard, "video": video, "packets": packets,
            "violations": contact.violations, "log": list(contact.log) if log else [],
        }  # fmt: skip
