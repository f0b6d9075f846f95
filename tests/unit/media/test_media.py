"""Endpoints of our own: the tone and its proof, order of work, and nothing left behind after a call."""

from __future__ import annotations

import asyncio
import math
import random
from array import array
from types import SimpleNamespace
from typing import Any

import pytest

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls.model import Abilities
from jinglebridge.errors import EndpointError
from jinglebridge.media import echo, tone
from jinglebridge.media import endpoint as endpoints
from jinglebridge.media.echo import EchoEndpoint
from jinglebridge.media.endpoint import MediaEndpoint
from jinglebridge.media.probe import ProbeEndpoint
from tests.unit.fakes import logged, settle, until

JID = "echo@call.test/echo"


def sine(hz: float, volume: float = 8000, samples: int = 9600) -> array[int]:
    return array("h", (int(volume * math.sin(2 * math.pi * hz * i / tone.RATE)) for i in range(samples)))


def test_a_tone_is_told_from_another_from_silence_and_from_noise():
    assert tone.share(sine(700), 700) > 0.99
    for other in (680, 720, 350, 1400):
        assert tone.share(sine(other), 700) < 0.1
    assert tone.share(sine(700, volume=5), 700) == 0.0 and tone.share(array("h", [0] * 9600), 700) == 0.0
    source = random.Random(1)
    assert tone.share(array("h", (source.randrange(-8000, 8000) for _ in range(9600))), 700) < 0.1
    assert tone.share(array("h", (a + b for a, b in zip(sine(700), sine(900), strict=True))), 700) == pytest.approx(0.5, abs=0.05)


async def test_the_tone_track_plays_in_real_time():
    track = tone.make_tone(500)
    start = asyncio.get_running_loop().time()
    frames = [await track.recv() for _ in range(11)]
    assert 0.18 < asyncio.get_running_loop().time() - start < 1.0
    samples = array("h")
    for frame in frames:
        samples += tone.mono(frame)
    assert [f.pts for f in frames] == [n * tone.SAMPLES for n in range(11)] and tone.share(samples[:9600], 500) > 0.99


def test_only_the_first_channel_counts():
    stereo = SimpleNamespace(layout=SimpleNamespace(channels=[0, 1]), samples=3, planes=[array("h", [1, 9, 2, 9, 3, 9, 0, 0]).tobytes()])
    assert list(tone.mono(stereo)) == [1, 2, 3]  # type: ignore[arg-type]


class Engine:
    def __init__(self) -> None:
        self.events: list[ev.EndpointEvent] = []

    def __call__(self, jid: str, event: ev.EndpointEvent) -> None:
        self.events.append(event)
        if isinstance(event, ev.Described) and event.call == "over":
            raise EndpointError("unknown-call", "over")


async def an_offer() -> str:
    from aiortc import RTCPeerConnection

    caller = RTCPeerConnection()
    caller.addTrack(tone.make_tone(600))
    await caller.setLocalDescription(await caller.createOffer())
    sdp = str(caller.localDescription.sdp)
    await caller.close()
    return sdp


def incoming(call: str) -> fx.TellIncoming:
    return fx.TellIncoming(JID, call, "bob@im.test", "Bob", ("audio",), Abilities())


async def test_the_echo_answers_and_leaves_nothing_behind():
    engine = Engine()
    endpoint = EchoEndpoint(JID, engine)
    endpoint.tell(incoming("c"))
    await until(lambda: engine.events)
    endpoint.tell(fx.TellDescription(JID, "c", "offer", await an_offer()))
    endpoint.tell(fx.TellCandidate(JID, "c", "candidate:1 1 udp 1 192.0.2.1 9 typ host", "0", 0, ""))
    endpoint.tell(fx.TellCandidate(JID, "c", "", "0", 0, ""))
    endpoint.tell(fx.TellInfo(JID, "c", "mute", None))
    answers = await until(lambda: [e for e in engine.events if isinstance(e, ev.Described)])
    assert engine.events[0] == ev.Accepted("c")
    assert ev.Reported("c", "connecting") in engine.events, "so that the engine's connect timer counts"
    (answer,) = answers
    assert answer.type == "answer" and "a=sendrecv" in answer.sdp
    endpoint.tell(fx.TellEnded(JID, "c", "ended"))
    await until(lambda: not endpoint._connections and not endpoint._tasks)


async def test_a_call_that_ends_before_its_description_was_read_leaves_nothing_behind():
    """Offer and terminate may come in one packet; a connection left behind would count against MAX_CALLS for ever."""
    engine = Engine()
    endpoint = EchoEndpoint(JID, engine)
    endpoint.tell(fx.TellDescription(JID, "over", "offer", await an_offer()))
    endpoint.tell(fx.TellEnded(JID, "over", "cancelled"))
    await until(lambda: not endpoint._tasks)
    assert endpoint._connections == {}


async def test_garbage_ends_only_its_own_call():
    engine = Engine()
    endpoint = EchoEndpoint(JID, engine)
    with logged() as lines:
        endpoint.tell(fx.TellDescription(JID, "c", "offer", "v=0\r\nm=audio nonsense"))
        await until(lambda: engine.events)
    assert engine.events == [ev.HungUp("c", "failed-media")] and [line["event"] for line in lines] == ["media-endpoint-failed"]
    await endpoint.close()
    assert endpoint._connections == {}


async def test_too_many_calls_are_busy():
    engine = Engine()
    endpoint = EchoEndpoint(JID, engine)
    for n in range(echo.MAX_CALLS):
        endpoint.tell(incoming(str(n)))
    endpoint.tell(incoming("c"))
    await settle()
    assert engine.events[-1] == ev.Rejected("c", busy=True), "counted from the acceptance on, not from the connection"
    endpoint.tell(fx.TellEnded(JID, "0", "ended"))
    endpoint.tell(incoming("d"))
    await until(lambda: engine.events[-1] == ev.Accepted("d"))


@pytest.mark.parametrize("state", ["failed", "closed"])
async def test_media_that_breaks_ends_the_call(state: str, monkeypatch: pytest.MonkeyPatch):
    """A client that crashes must not keep its place at the echo for ever. One that hangs up has a moment to say so."""
    monkeypatch.setattr(endpoints, "GRACE", 0.05)
    engine = Engine()
    endpoint = EchoEndpoint(JID, engine)
    endpoint._connections["c"] = SimpleNamespace(connectionState=state)  # type: ignore[assignment]
    endpoint._connections["d"] = SimpleNamespace(connectionState=state)  # type: ignore[assignment]
    endpoint._state_changed("c")
    endpoint._state_changed("d")
    del endpoint._connections["d"]  # ended meanwhile
    await settle()
    seen = engine.events[:]
    assert seen == [ev.Reported("c", state), ev.Reported("d", state)], seen
    await until(lambda: engine.events[2:] == [ev.HungUp("c", "failed-ice")])
    endpoint._state_changed("gone")
    assert len(engine.events) == 3


async def test_work_of_one_call_is_done_in_order():
    endpoint = MediaEndpoint(JID, Engine())
    done: list[int] = []

    def work(number: int) -> Any:
        async def run() -> None:
            await asyncio.sleep(0.02 / (number + 1))
            done.append(number)

        return run

    for number in range(4):
        endpoint._start("c", work(number))
    endpoint._start("other", work(9))
    await until(lambda: len(done) == 5)
    assert [n for n in done if n != 9] == [0, 1, 2, 3] and done[0] == 9


async def test_by_default_an_endpoint_takes_no_calls():
    engine = Engine()
    endpoint = MediaEndpoint(JID, engine)
    endpoint.tell(incoming("c"))
    await settle()
    assert engine.events == [ev.Rejected("c")]


async def test_the_probe_says_why_there_was_no_tone():
    engine = Engine()
    probe = ProbeEndpoint("probe@call.test/x", engine)
    task = asyncio.create_task(probe.run("echo@call.test"))
    await until(lambda: engine.events)
    placed = engine.events[0]
    assert isinstance(placed, ev.Placed) and placed.to == "echo@call.test" and "m=audio" in placed.sdp
    probe.tell(fx.TellEnded(probe.jid, "probe", "unreachable", "nobody"))
    assert await task == "the call ended: unreachable nobody"
    assert engine.events[-1] == ev.HungUp("probe")
    await until(lambda: not probe._connections)

    late = ProbeEndpoint("probe@call.test/y", engine)
    assert "no tone came back within 0 s" in await late.run("echo@call.test", 0.01)
    await late.close()


@pytest.mark.parametrize("of", [600, 900])
async def test_the_probe_believes_only_its_own_tone(of: int):
    probe = ProbeEndpoint("probe@call.test/x", Engine())
    probe.hz = 600
    listening = asyncio.create_task(probe._listen(tone.make_tone(of)))
    if of == 600:
        assert await asyncio.wait_for(probe._result, 3) == ""
    else:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(probe._result), 0.5)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_a_connection_that_is_closing_is_closed_to_the_end():
    """aiortc closes by itself what its peer has closed; who waits for that and is cancelled breaks it."""

    class Slow:
        closed = ""

        async def close(self) -> None:
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                self.closed = "cancelled"
                raise
            self.closed = "closed"

    endpoint = MediaEndpoint(JID, lambda jid, event: None)
    connection: Any = Slow()
    endpoint._connections["c"] = connection
    endpoint.tell(fx.TellEnded(JID, "c", "ended"))
    await asyncio.sleep(0.01)
    await endpoint.close()
    assert connection.closed == "closed"
