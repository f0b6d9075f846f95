"""Whole calls as conversations: page → IM client, IM client → page, and IM client → IM client with the same stanzas.

`paced`: each step waits for the one before and is timed; otherwise candidates go out in one burst each way, as browsers gather them.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from calls_ends import ImEnd, Inbox, WebEnd
from calls_stanzas import CANDIDATES, Half, jmi, terminate, transport_info

Negotiation = tuple[Half, Half]
_ids = itertools.count(1)


@dataclass
class Times:
    """Seconds from sending a step to its arrival at the other end, by step."""

    steps: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def until(self, step: str, start: float, inbox: Inbox, call: str, name: str) -> Any:
        at, value = await inbox.get(call, name)
        self.steps[step].append(at - start)
        return value


@dataclass
class Up:
    """A call that is established, and how to end it."""

    one: WebEnd | ImEnd
    im: ImEnd
    call: str
    sid: str
    outgoing: bool


def _page_candidate(web: WebEnd, call: str, half: Half, number: int) -> None:
    web.send(type="candidate", call=call, candidate=half.inits[number])


def _im_candidate(im: ImEnd, to: str, sid: str, half: Half, number: int) -> None:
    im.iq(to, transport_info(sid, half.transports[number]))


async def _trickle(web: WebEnd, im: ImEnd, call: str, sid: str, halves: Negotiation, times: Times, paced: bool) -> None:
    """Twenty candidates each way; `halves`: the page's, the IM client's."""
    ours, theirs = halves
    for number in range(CANDIDATES):
        start = perf_counter()
        _page_candidate(web, call, ours, number)
        if paced:
            await times.until("candidate page → IM", start, im, sid, "transport-info")
            start = perf_counter()
        _im_candidate(im, web.jid, sid, theirs, number)
        if paced:
            await times.until("candidate IM → page", start, web, call, "candidate")
    if not paced:
        for _ in range(CANDIDATES):
            await im.get(sid, "transport-info")
            await web.get(call, "candidate")


async def page_calls(web: WebEnd, im: ImEnd, halves: Negotiation, times: Times, paced: bool = False) -> Up:
    """The page calls the IM client, up to media."""
    offer, answer = halves
    call = f"call{next(_ids)}"
    start = perf_counter()
    web.send(type="call", call=call, to=im.bare, description={"type": "offer", "sdp": offer.sdp})
    sid = await times.until("propose", start, im, web.bare, "propose")
    start = perf_counter()
    im.message(web.jid, jmi("ringing", sid))
    await times.until("ringing", start, web, call, "ringing")
    start = perf_counter()
    im.message(web.jid, jmi("proceed", sid))
    await web.get(call, "accepted")
    await times.until("proceed, session-initiate", start, im, sid, "session-initiate")
    start = perf_counter()
    im.iq(web.jid, answer.stanza("session-accept", sid))
    await times.until("session-accept", start, web, call, "description")
    await web.get(call, "connecting")
    await _trickle(web, im, call, sid, halves, times, paced)
    web.send(type="stats", call=call, connectionState="connected", bytesReceived=1000, bytesSent=1000)
    await web.get(call, "connected")
    return Up(web, im, call, sid, True)


async def page_is_called(web: WebEnd, im: ImEnd, halves: Negotiation, times: Times, paced: bool = False) -> Up:
    """The IM client calls the page, up to media."""
    offer, answer = halves
    sid = f"sid-{next(_ids)}"
    start = perf_counter()
    im.message(web.bare, jmi("propose", sid))
    call = await times.until("propose", start, web, web.bare, "incoming")
    await times.until("propose, ringing", start, im, sid, "ringing")
    start = perf_counter()
    web.send(type="accept", call=call)
    await times.until("proceed", start, im, sid, "proceed")
    await web.get(call, "accepted")
    start = perf_counter()
    im.iq(web.jid, offer.stanza("session-initiate", sid))
    await times.until("session-initiate", start, web, call, "description")
    start = perf_counter()
    web.send(type="description", call=call, description={"type": "answer", "sdp": answer.sdp})
    await times.until("session-accept", start, im, sid, "session-accept")
    await web.get(call, "connecting")
    await _trickle(web, im, call, sid, (answer, offer), times, paced)
    web.send(type="stats", call=call, connectionState="connected", bytesReceived=1000, bytesSent=1000)
    await web.get(call, "connected")
    return Up(web, im, call, sid, False)


async def hang_up(up: Up, times: Times) -> None:
    """The caller ends the call; both sides close the JMI conversation."""
    web, im = up.one, up.im
    assert isinstance(web, WebEnd)
    start = perf_counter()
    if up.outgoing:
        web.send(type="hangup", call=up.call)
        await times.until("session-terminate", start, im, up.sid, "session-terminate")
    else:
        im.iq(web.jid, terminate(up.sid))
        await times.until("session-terminate", start, web, up.call, "ended")
    im.message(web.jid, jmi("finish", up.sid))
    await im.get(up.sid, "finish")
    if up.outgoing:
        await web.get(up.call, "ended")


async def direct(one: ImEnd, two: ImEnd, halves: Negotiation, times: Times, paced: bool = False) -> Up:
    """The same between two IM clients: every stanza that the bridge sends and gets, without the bridge. `one` calls."""
    offer, answer = halves
    sid = f"sid-{next(_ids)}"
    start = perf_counter()
    one.message(two.bare, jmi("propose", sid))
    await times.until("propose", start, two, one.bare, "propose")
    ring = perf_counter()
    two.message(one.jid, jmi("ringing", sid))
    await times.until("ringing", ring, one, sid, "ringing")
    times.steps["propose, ringing"].append(perf_counter() - start)
    start = perf_counter()
    two.message(one.jid, jmi("proceed", sid))
    await times.until("proceed", start, one, sid, "proceed")
    initiate = perf_counter()
    one.iq(two.jid, offer.stanza("session-initiate", sid))
    await times.until("session-initiate", initiate, two, sid, "session-initiate")
    times.steps["proceed, session-initiate"].append(perf_counter() - start)
    start = perf_counter()
    two.iq(one.jid, answer.stanza("session-accept", sid))
    await times.until("session-accept", start, one, sid, "session-accept")
    for number in range(CANDIDATES):
        start = perf_counter()
        _im_candidate(one, two.jid, sid, offer, number)
        if paced:
            await times.until("candidate page → IM", start, two, sid, "transport-info")
            start = perf_counter()
        _im_candidate(two, one.jid, sid, answer, number)
        if paced:
            await times.until("candidate IM → page", start, one, sid, "transport-info")
    if not paced:
        for _ in range(CANDIDATES):
            await one.get(sid, "transport-info")
            await two.get(sid, "transport-info")
    return Up(one, two, sid, sid, True)


async def hang_up_direct(up: Up, times: Times) -> None:
    one, two = up.one, up.im
    assert isinstance(one, ImEnd)
    start = perf_counter()
    one.iq(two.jid, terminate(up.sid))
    await times.until("session-terminate", start, two, up.sid, "session-terminate")
    one.message(two.jid, jmi("finish", up.sid))
    two.message(one.jid, jmi("finish", up.sid))
    await one.get(up.sid, "finish")
    await two.get(up.sid, "finish")
