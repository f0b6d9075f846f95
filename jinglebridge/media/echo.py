"""``echo@domain``: answers every call and sends back what it hears and sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.media.endpoint import MediaEndpoint, Submit

if TYPE_CHECKING:
    from aiortc import MediaStreamTrack, RTCPeerConnection

MAX_CALLS = 10  # it decodes and encodes: each call costs a good part of a core


class EchoEndpoint(MediaEndpoint):
    def __init__(self, jid: str, submit: Submit) -> None:
        super().__init__(jid, submit)
        self._taken: set[str] = set()

    def incoming(self, effect: fx.TellIncoming) -> ev.EndpointEvent:
        if len(self._taken) >= MAX_CALLS:
            return ev.Rejected(effect.call, busy=True)
        self._taken.add(effect.call)
        return ev.Accepted(effect.call)

    def ended(self, effect: fx.TellEnded) -> None:
        self._taken.discard(effect.call)

    def connected(self, call: str, connection: RTCPeerConnection) -> None:
        def track(remote: MediaStreamTrack) -> None:
            connection.addTrack(remote)

        connection.on("track", track)
