"""The operator's door: a unix socket, mode 0600, one JSON object per line each way.

``{"command": "status" | "calls" | "show" | "doctor" | "stop" | …, …}`` → one line ``{"ok": true, …}`` or ``{"ok": false, "error": …}``.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from jinglebridge.calls.record import ladder, summary
from jinglebridge.errors import OperatorError
from jinglebridge.service.devices import OPERATIONS, operate

if TYPE_CHECKING:
    from jinglebridge.service.bridge import Bridge

log = structlog.get_logger()

MAX_LINE = 64 * 1024  # bytes of a command
MAX_ANSWER = 64 * 1024 * 1024  # bytes


class AdminSocket:
    def __init__(self, path: Path, bridge: Bridge) -> None:
        self._path = path
        self._bridge = bridge
        self._server: asyncio.Server | None = None
        self._stopping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises OperatorError. The lock is ours, so a socket file that lies there is a dead bridge's."""
        mask = os.umask(0o177)
        try:
            self._path.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._client, str(self._path), limit=MAX_LINE)
        except OSError as error:
            raise OperatorError(f"[admin] socket {self._path}: {error.strerror or error}") from None
        finally:
            os.umask(mask)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            try:
                answer = await self._answer(json.loads(line))
            except (ValueError, KeyError, TypeError):
                answer = {"ok": False, "error": "not a command"}
            except OperatorError as error:
                answer = {"ok": False, "error": str(error)}
            except Exception:
                log.exception("admin-command-failed")
                answer = {"ok": False, "error": "internal error; see the log"}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        except (ConnectionError, ValueError):
            pass
        finally:
            writer.close()

    async def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        bridge = self._bridge
        match request["command"]:
            case "status":
                return {
                    "ok": True,
                    "ready": bridge.link.ready,
                    "calls": len(bridge.registry.calls),
                    "sessions": len(bridge.sessions.by_jid),
                }
            case "calls":
                return {"ok": True, "calls": self._calls()}
            case "show":
                return {"ok": True} | self._show(str(request["id"]), bool(request.get("unsafe")))
            case "doctor":
                from jinglebridge.service.doctor import examine

                return {"ok": True, "checks": [check.to_dict() for check in await examine(bridge)]}
            case "link":
                from jinglebridge.service.link_admin import carry_out

                return carry_out(bridge.reception.links, request)
            case command if command in OPERATIONS:
                return operate(bridge.devices, request)
            case "backup":
                await bridge.backup(Path(request["file"]))
                return {"ok": True}
            case "stop":
                log.info("stop-asked", end_calls=bool(request.get("end_calls")))
                self._stopping = asyncio.create_task(bridge.stop(end_calls=bool(request.get("end_calls"))))
                return {"ok": True}
            case _:
                return {"ok": False, "error": "unknown command"}

    def _calls(self) -> list[dict[str, Any]]:
        """Those that are over first, each group in the order in which it came to be."""
        registry, now = self._bridge.registry, time.time()
        timeline = registry.timeline
        return [summary(r, now) for r in [*timeline.ended(), *map(timeline.of, registry.calls.values())]]

    def _show(self, id: str, unsafe: bool) -> dict[str, Any]:
        """The calls that `id` fits; with their steps if it is one."""
        registry = self._bridge.registry
        found = registry.timeline.find(id, registry.calls.values())
        calls = [summary(r, time.time()) for r in found]
        if len(found) == 1:
            calls[0]["texts"] = registry.timeline.keeps_texts
            calls[0]["steps"] = ladder(found[0], registry.timeline.texts_of(found[0])) if unsafe else ladder(found[0])
        return {"calls": calls}


class NobodyThere(OperatorError):
    """No bridge is running."""


async def ask(path: Path, command: str, timeout: float = 60.0, **arguments: Any) -> dict[str, Any]:
    """Send one command to a running bridge. Raises OperatorError, NobodyThere if none is running."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(path), limit=MAX_ANSWER)
    except OSError:
        raise NobodyThere(f"no bridge is running here (nobody listens on {path})") from None
    try:
        writer.write(json.dumps({"command": command, **arguments}).encode() + b"\n")
        await writer.drain()
        async with asyncio.timeout(timeout):
            line = await reader.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"ok": False, "error": "the bridge closed the connection"}
    except TimeoutError:
        raise OperatorError(f"the bridge does not answer within {timeout:.0f} s") from None
    finally:
        writer.close()
    if not answer.get("ok"):
        raise OperatorError(f"the bridge refused: {answer.get('error')}")
    return answer
