"""The operator's door: a unix socket, mode 0600, one JSON object per line each way.

``{"command": "status" | "calls" | "doctor" | "stop", …}`` → one line ``{"ok": true, …}`` or ``{"ok": false, "error": …}``.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from jinglebridge.calls.model import CallState, bare
from jinglebridge.errors import OperatorError

if TYPE_CHECKING:
    from jinglebridge.service.bridge import Bridge

log = structlog.get_logger()

MAX_LINE = 64 * 1024


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
                return {"ok": True, "calls": [describe(state) for state in bridge.registry.calls.values()]}
            case "doctor":
                from jinglebridge.service.doctor import examine

                return {"ok": True, "checks": [check.to_dict() for check in await examine(bridge)]}
            case "stop":
                log.info("stop-asked", end_calls=bool(request.get("end_calls")))
                self._stopping = asyncio.create_task(bridge.stop(end_calls=bool(request.get("end_calls"))))
                return {"ok": True}
            case _:
                return {"ok": False, "error": "unknown command"}


def describe(state: CallState) -> dict[str, Any]:
    """A call for the operator: no addresses of machines, no credentials, no SDP."""
    return {
        "call": state.call,
        "sid": state.sid,
        "direction": state.direction,
        "own": state.own,
        "peer": state.peer,
        "state": state.joint,
        "media": state.media,
        "seconds": round(time.time() - state.created, 1),
        "with": bare(state.peer),
    }


async def ask(path: Path, command: str, timeout: float = 60.0, **arguments: Any) -> dict[str, Any]:
    """Send one command to a running bridge. Raises OperatorError if none is running."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(path), limit=1024 * 1024)
    except OSError:
        raise OperatorError(f"no bridge is running here (nobody listens on {path})") from None
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
