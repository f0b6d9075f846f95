"""An endpoint of the engine whose peer connections are aiortc's.

aiortc gathers before it answers and has no `icecandidate` event, so its descriptions hold all candidates.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import structlog

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.errors import ProtocolError

if TYPE_CHECKING:
    from aiortc import RTCPeerConnection

log = structlog.get_logger()

GRACE = 1.0  # seconds: who hangs up closes the connection first, and its session-terminate is on its way

Submit = Callable[[str, ev.EndpointEvent], None]  # (full JID, event); raises ProtocolError


class MediaEndpoint:
    """One address of our own. `submit` brings events to the engine."""

    def __init__(self, jid: str, submit: Submit) -> None:
        self.jid = jid
        self._submit = submit
        self._connections: dict[str, RTCPeerConnection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: set[asyncio.Task[None]] = set()

    # --- what subclasses decide

    def incoming(self, effect: fx.TellIncoming) -> ev.EndpointEvent:
        """What to do with a call: `Accepted` or `Rejected`."""
        return ev.Rejected(effect.call)

    def connected(self, call: str, connection: RTCPeerConnection) -> None:
        """A connection was made; add tracks and listeners before the description is set."""

    def ended(self, effect: fx.TellEnded) -> None:
        """The call is over."""

    # --- the engine's side

    def tell(self, effect: fx.EndpointEffect) -> None:
        match effect:
            case fx.TellIncoming():
                decision = self.incoming(effect)
                asyncio.get_running_loop().call_soon(self.submit, decision)
            case fx.TellDescription():
                self._start(effect.call, lambda: self._describe(effect))
            case fx.TellCandidate():
                self._start(effect.call, lambda: self._add(effect))
            case fx.TellEnded():
                self.ended(effect)
                # After what was started before: a description still on its way must not make a connection that nobody closes.
                self._start(effect.call, lambda: self._hang_up(effect.call))
            case _:
                pass

    def submit(self, event: ev.EndpointEvent) -> None:
        try:
            self._submit(self.jid, event)
        except ProtocolError as error:
            log.info("media-endpoint-refused", jid=self.jid, error=str(error))

    def connection(self, call: str) -> RTCPeerConnection:
        """The peer connection of a call, made when first asked for."""
        from aiortc import RTCConfiguration, RTCPeerConnection

        connection = self._connections.get(call)
        if connection is None:
            connection = self._connections[call] = RTCPeerConnection(RTCConfiguration(iceServers=[]))
            self.connected(call, connection)
            connection.on("connectionstatechange", lambda: self._state_changed(call))
        return connection

    def _state_changed(self, call: str) -> None:
        """What a page's `stats` say: without it the engine could not know that media never came, or broke."""
        connection = self._connections.get(call)
        if connection is None:
            return
        self.submit(ev.Reported(call, connection.connectionState))
        if connection.connectionState in ("failed", "closed"):
            asyncio.get_running_loop().call_later(GRACE, self._broken, call, connection)

    def _broken(self, call: str, connection: RTCPeerConnection) -> None:
        if self._connections.get(call) is connection:
            self.submit(ev.HungUp(call, "failed-ice"))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(c.close() for c in self._connections.values()), *self._closing, return_exceptions=True)
        self._connections.clear()

    async def _describe(self, effect: fx.TellDescription) -> None:
        from aiortc import RTCSessionDescription

        connection = self.connection(effect.call)
        await connection.setRemoteDescription(RTCSessionDescription(effect.sdp, effect.type))
        if effect.type == "offer":
            await connection.setLocalDescription(await connection.createAnswer())
            self.submit(ev.Described(effect.call, "answer", connection.localDescription.sdp))

    async def _hang_up(self, call: str) -> None:
        connection = self._connections.pop(call, None)
        if connection is not None:
            # Never cancelled: aiortc may be closing it by itself, and who waits for that and is cancelled breaks it.
            closing = asyncio.create_task(connection.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            await asyncio.shield(closing)

    async def _add(self, effect: fx.TellCandidate) -> None:
        from aiortc.sdp import candidate_from_sdp

        connection = self._connections.get(effect.call)
        if connection is None or not effect.candidate:
            return
        candidate = candidate_from_sdp(effect.candidate.removeprefix("candidate:"))
        candidate.sdpMid, candidate.sdpMLineIndex = effect.mid, effect.index
        await connection.addIceCandidate(candidate)

    def _start(self, call: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run `work` after what was started before: descriptions and candidates are in order."""
        previous = [t for t in self._tasks if t.get_name() == call]

        async def run() -> None:
            if previous:
                await asyncio.wait(previous)
            try:
                await work()
            except Exception:
                log.exception("media-endpoint-failed", jid=self.jid)
                self.submit(ev.HungUp(call, "failed-media"))

        task = asyncio.create_task(run(), name=call)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
