"""Two web users of one bridge, in Chromium and Firefox. Their call goes through the XMPP server as Jingle, like any other."""

from __future__ import annotations

import asyncio
import re

import pytest

from jinglebridge.demo.lab import Ejabberd

from .bridge import wait_for
from .house import CC, CF, FC, TONES, House, bridge, house, open_house, over
from .users import flows, talk, until

__all__ = ["bridge", "house", "open_house"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("browsers", "ends"), [(CC, 0), (CF, 1), (FC, 0), *(pytest.param(*p, marks=pytest.mark.long) for p in [(CC, 1), (CF, 0), (FC, 1)])]
)
async def test_audio_and_video_until_somebody_hangs_up(house: House, browsers: str, ends: int) -> None:
    pair = await house.call(browsers)
    await pair[ends].ask("hangUp")
    await over(*pair)


async def test_the_call_goes_through_the_server_as_jingle(house: House, ejabberd: Ejabberd) -> None:
    log = ejabberd.folder / "log/ejabberd.log"
    ejabberd.api("set_loglevel", loglevel="debug")
    try:
        a, b = await house.call(CC, video=False)
        await a.ask("hangUp")
        await over(a, b)

        def actions() -> set[tuple[str, str, str]]:
            """(from, to, action) of the Jingle that the server has routed."""
            found = set()
            for head, action in re.findall(r"<iq ([^>]*)><jingle [^>]*?action=.([a-z-]+)", log.read_text(errors="replace")):
                names = dict(re.findall(r"(\w+)=.([^ '\"\\\\]+)", head))
                found.add((names.get("from", ""), names.get("to", ""), action))
            return found

        wanted = {(a.full, b.full, "session-initiate"), (b.full, a.full, "session-accept"), (a.full, b.full, "session-terminate")}
        wait_for("the Jingle of the call in the server's log", lambda: wanted <= actions(), 5)
    finally:
        ejabberd.api("set_loglevel", loglevel="info")


async def test_the_called_one_declines(house: House) -> None:
    a, b = await house.pair(FC)
    await a.ask("call", b.jid)
    await b.state("incoming")
    await a.state("ringing")
    await b.ask("reject")
    await over(a, b, "busy", "declined")  # to decline is "busy" in JMI (XEP-0353 §3.5)


async def test_two_pages_of_one_person_ring_and_one_answers(house: House) -> None:
    a, b = await house.pair(CF)
    other = await house.page("chromium", b.jid.partition("@")[0], TONES[1], a.jid)
    await a.ask("call", b.jid)
    await b.state("incoming")
    await other.state("incoming")
    await other.ask("accept")
    assert (await b.state("ended"))["reason"] == "elsewhere"
    await talk(a, other, video=False)
    await other.ask("hangUp")
    await over(a, other)


async def test_two_pages_answer_at_the_same_time(house: House) -> None:
    """One has the call; at the other it was answered elsewhere, also where its own answer was under way."""
    a, b = await house.pair(CF)
    other = await house.page("chromium", b.jid.partition("@")[0], TONES[1], a.jid)
    await a.ask("call", b.jid)
    for user in (b, other):
        await user.state("incoming")
    await asyncio.gather(*(user.ask("accept") for user in (b, other)), return_exceptions=True)
    calls = [
        (await user.until("an end of the race", lambda r: r["call"]["state"] in ("connected", "ended")))["call"] for user in (b, other)
    ]
    assert sorted(call["state"] for call in calls) == ["connected", "ended"]
    winner, loser = (b, other) if calls[0]["state"] == "connected" else (other, b)
    assert (await loser.state("ended"))["reason"] == "elsewhere"
    await talk(a, winner, video=False)
    await a.ask("hangUp")
    await over(a, winner)


# --- changes of a running call: the pages do nothing but perfect negotiation, what is between them is Jingle


def changes(*ordinary: tuple[str, int]) -> pytest.MarkDecorator:
    """Each pair of browsers, and which of the two makes the change."""
    every = [(browsers, by) for browsers in (CC, CF, FC) for by in (0, 1)]
    return pytest.mark.parametrize(("browsers", "by"), [p if p in ordinary else pytest.param(*p, marks=pytest.mark.long) for p in every])


@changes((CF, 1))
async def test_hold_and_resume(house: House, browsers: str, by: int) -> None:
    """Who holds goes on to send, as XEP-0167 §8.2 has it for music on hold; the other is silent."""
    pair = await house.call(browsers)
    holder, held = pair[by], pair[1 - by]
    await holder.ask("direct", "sendonly")
    await flows(holder, held, to_a=())
    await holder.ask("direct", "sendrecv")
    await held.ask("direct", "sendrecv")
    await talk(*pair)
    await holder.ask("hangUp")
    await over(*pair)


@changes((CF, 0))
async def test_the_module_holds_and_goes_on(house: House, browsers: str, by: int) -> None:
    """J-208: nothing comes to the one who holds, and the other hears silence."""
    pair = await house.call(browsers)
    holder, held = pair[by], pair[1 - by]
    await holder.ask("hold", True)
    await held.until("that it is held", lambda r: r["call"]["remoteHeld"])
    await holder.hears(None)
    await held.hears(None)
    before = await holder.ask("seen")
    await asyncio.sleep(0.5)
    after = await holder.ask("seen")
    assert [before[kind] for kind in ("audio", "video")] == [after[kind] for kind in ("audio", "video")]
    assert (await holder.ask("report"))["call"]["dtmfPossible"], "telephone-event goes through the bridge"
    await holder.ask("hold", False)
    await held.until("that it goes on", lambda r: not r["call"]["remoteHeld"])
    await talk(*pair)
    await holder.ask("hangUp")
    await over(*pair)


@changes((CC, 0), (CF, 1))
async def test_video_is_added_later_and_removed_again(house: House, browsers: str, by: int) -> None:
    pair = await house.call(browsers, video=False)
    one, other = pair[by], pair[1 - by]
    await one.ask("camera", True)
    await flows(one, other, to_a=("audio",))
    await one.ask("removeVideo")
    await flows(one, other, to_a=("audio",), to_b=("audio",))
    for user in pair:
        assert (await user.ask("seen"))["sections"] == ["audio", "no video"]
    await talk(*pair, video=False)
    await one.ask("hangUp")
    await over(*pair)


@changes((CC, 1), (CF, 1))
async def test_an_ice_restart_brings_new_credentials_to_both(house: House, browsers: str, by: int) -> None:
    pair = await house.call(browsers)

    async def ufrags() -> list[list[list[str]]]:
        return [(await user.ask("seen"))["ufrags"] for user in pair]

    before = {ufrag for user in await ufrags() for side in user for ufrag in side}

    def renewed(now: list[list[list[str]]]) -> bool:
        after = {ufrag for user in now for side in user for ufrag in side}
        return now[0] == now[1][::-1] and not before & after

    await pair[by].ask("restartIce")
    await until("new credentials on both sides", ufrags, renewed)
    await talk(*pair)  # Firefox 153 often hears nothing after a restart by Chromium, and then makes one of its own
    await pair[1 - by].ask("hangUp")
    await over(*pair)


async def test_offers_that_cross_are_both_negotiated_in_the_end(house: House) -> None:
    """Both pages add video at once. Each is polite, so nobody's change is lost."""
    a, b = await house.call(CC, video=False)
    await a.ask("camera", True)
    await b.ask("camera", True)
    await flows(a, b)
    await a.ask("hangUp")
    await over(a, b)
