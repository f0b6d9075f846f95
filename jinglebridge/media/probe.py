"""The doctor's caller: calls an address, sends a tone drawn at random, and tells whether just that tone came back."""

from __future__ import annotations

import asyncio
import random
from array import array
from typing import TYPE_CHECKING

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.media import tone
from jinglebridge.media.endpoint import MediaEndpoint, Submit

if TYPE_CHECKING:
    from aiortc import MediaStreamTrack, RTCPeerConnection

WINDOW = 9600  # samples, 200 ms
CALL = "probe"


class ProbeEndpoint(MediaEndpoint):
    """One call, then `close` it. `run` returns "" when the tone came back, else what went wrong."""

    def __init__(self, jid: str, submit: Submit) -> None:
        super().__init__(jid, submit)
        self.hz = random.randrange(400, 1500, 20)
        self._result: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._listening: asyncio.Task[None] | None = None

    async def run(self, to: str, timeout: float = 20.0) -> str:
        """Place the call. Raises ProtocolError if the engine refuses it."""
        connection = self.connection(CALL)
        await connection.setLocalDescription(await connection.createOffer())
        self._submit(self.jid, ev.Placed(CALL, to, connection.localDescription.sdp))
        try:
            return await asyncio.wait_for(self._result, timeout)
        except TimeoutError:
            return f"no tone came back within {timeout:.0f} s (connection {connection.connectionState})"
        finally:
            if self._listening is not None:
                self._listening.cancel()
            self.submit(ev.HungUp(CALL))

    def connected(self, call: str, connection: RTCPeerConnection) -> None:
        connection.addTrack(tone.make_tone(self.hz))

        def track(remote: MediaStreamTrack) -> None:
            self._listening = asyncio.create_task(self._listen(remote))

        connection.on("track", track)

    def ended(self, effect: fx.TellEnded) -> None:
        if not self._result.done():
            self._result.set_result(f"the call ended: {effect.reason} {effect.text}".strip())

    async def _listen(self, remote: MediaStreamTrack) -> None:
        samples: array[int] = array("h")
        while True:
            samples += tone.mono(await remote.recv())
            samples = samples[-WINDOW:]
            if len(samples) == WINDOW and tone.share(samples, self.hz) > 0.8 and not self._result.done():
                self._result.set_result("")
                return
