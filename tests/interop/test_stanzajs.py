"""stanza.js in Chromium, through the server's WebSocket, as the IM peer of a web user: an independent WebRTC-grade Jingle client.

It knows no JMI: it is called, and calls, by session-initiate to a full JID.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from jinglebridge.demo.lab import Ejabberd

from .bridge import BridgeProcess
from .rtc import Browser, chromium, empty_page
from .servers import unique_user
from .test_contact import two_tones
from .users import STANZAJS, StanzaUser, WebUser, talk, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
TONES = two_tones()


@pytest.fixture(scope="module")
def bridge(ejabberd: Ejabberd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    bridge = BridgeProcess(tmp_path_factory.mktemp("bridge"), ejabberd)
    yield bridge
    bridge.close()


class House:
    """One browser, and the server and the bridge that its pages speak to."""

    def __init__(self, browser: Browser, bridge: BridgeProcess, server: Ejabberd, empty: str) -> None:
        self.browser, self.bridge, self.server, self.empty = browser, bridge, server, empty
        self.stack = AsyncExitStack()

    async def pair(self) -> tuple[WebUser, StanzaUser]:
        """A web user and an IM user who know each other."""
        im = await StanzaUser.open(self.browser, self.server, unique_user("im"), TONES[1], empty=self.empty)
        self.stack.push_async_callback(im.close)
        web = await WebUser.open(self.browser, self.bridge, unique_user("web"), TONES[0], im.jid)
        self.stack.push_async_callback(web.close)
        await web.knows(im.jid)
        return web, im


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_house(bridge: BridgeProcess, ejabberd: Ejabberd) -> AsyncIterator[House]:
    if not STANZAJS.is_file():
        text = "stanza.js is not installed: run scripts/test, or `npm ci && npm run build` in tests/interop/stanzajs"
        pytest.fail(text) if "CI" in os.environ else pytest.skip(text)
    async with empty_page() as url, chromium(url) as browser:
        yield House(browser, bridge, ejabberd, url)


@pytest_asyncio.fixture(loop_scope="module")
async def house(open_house: House) -> AsyncIterator[House]:
    async with open_house.stack:
        yield open_house


async def web_calls(house: House, *, video: bool = True) -> tuple[WebUser, StanzaUser]:
    """A call that the web user made, up and with media."""
    web, im = await house.pair()
    await web.ask("call", im.jid, {"video": video})
    await im.state("pending")
    await web.state("ringing")
    await im.ask("accept", {"video": video})
    await talk(web, im, video=video)
    return web, im


async def im_calls(house: House, *, video: bool = True) -> tuple[WebUser, StanzaUser]:
    """A call that the IM user made, up and with media."""
    web, im = await house.pair()
    await im.ask("call", web.full, {"video": video})
    await web.state("incoming")
    await im.hears_of("ringing")
    await web.ask("accept", {"video": video})
    await talk(web, im, video=video)
    return web, im


async def over(web: WebUser, im: StanzaUser, reason: str, told: str) -> None:
    """Both sides know that the call is over, and why; nothing is left of it."""
    ended = await web.until("ended", lambda r: r["calls"] == 0 and r["call"]["state"] == "ended")
    assert ended["call"]["reason"] == reason
    assert (await im.until("ended", lambda r: r["sessions"] == []))["call"]["told"] == told


CALLS = {"web": web_calls, "im": im_calls}


@pytest.mark.parametrize(
    ("caller", "ends"), [("web", "im"), ("im", "web"), *(pytest.param(side, side, marks=pytest.mark.long) for side in CALLS)]
)
async def test_audio_and_video_until_somebody_hangs_up(house: House, caller: str, ends: str) -> None:
    web, im = await CALLS[caller](house)
    await (web if ends == "web" else im).ask("hangUp")
    await over(web, im, "ended", "success")


@pytest.mark.parametrize("caller", ["web", pytest.param("im", marks=pytest.mark.long)])
async def test_mute_and_hold_are_told_to_the_other_side(house: House, caller: str) -> None:
    """Each is one session-info with the name of the content, and one `info` with its mid. J-207 … J-209."""
    web, im = await CALLS[caller](house, video=False)
    await web.ask("mute", True)
    await im.hears(None)
    await im.hears_of("mute 0")
    await web.ask("mute", False)
    await im.hears_of("unmute 0")
    await im.hears(web.hz)
    for word, event in (("hold", "hold"), ("active", "resumed")):
        await web.ask("inform", word)
        await im.hears_of(event)
    await im.ask("mute", True)
    await web.until("muted", lambda r: r["call"]["remoteMuted"])
    await im.ask("mute", False)
    await web.until("not muted", lambda r: not r["call"]["remoteMuted"])
    assert [f["mid"] for f in await web.frames("in", "info")] == ["0", "0"]
    await im.ask("hold")
    await web.told("info", info="hold", mid=None)
    await im.ask("resume")
    await web.told("info", info="active", mid=None)
    await talk(web, im, video=False)
    await web.ask("hangUp")
    await over(web, im, "ended", "success")


async def test_the_called_one_declines(house: House) -> None:
    web, im = await house.pair()
    await web.ask("call", im.jid, {"video": True})
    await web.state("ringing")
    await im.ask("decline")
    await over(web, im, "declined", "decline")
    await im.ask("call", web.full)
    await web.state("incoming")
    await web.ask("reject")
    await over(web, im, "declined", "decline")


async def test_the_caller_gives_up(house: House) -> None:
    web, im = await house.pair()
    await web.ask("call", im.jid, {"video": True})
    await web.state("ringing")
    await web.ask("hangUp")
    await over(web, im, "cancelled", "cancel")
    await im.ask("call", web.full)
    await web.state("incoming")
    await im.ask("cancel")
    await over(web, im, "cancelled", "cancel")


@pytest.mark.parametrize(("sid", "stays"), [("!-is-lower-than-any-other", "im"), ("~-is-higher-than-any-other", "web")])
async def test_calls_that_cross_become_one(house: House, sid: str, stays: str) -> None:
    """stanza.js breaks no tie: the bridge decides for both, by the lower sid, and one call is left. XEP-0166 §7.2.16; J-098."""
    web, im = await house.pair()
    await im.ask("cross", web.full, sid)
    await web.ask("call", im.jid)
    report = await im.until("one session", lambda r: len(r["sessions"]) == 1 and any(h.startswith("terminated") for h in r["heard"]))
    (left,) = report["sessions"]
    assert (left["sid"] == sid) == (stays == "im")
    await im.ask("choose", left["sid"])
    if stays == "im":
        await web.state("incoming")
        await web.ask("accept")
    else:
        await web.state("ringing")
        await im.ask("accept")
    await talk(web, im, video=False)
    assert (await web.ask("report"))["calls"] == 1
    await web.ask("hangUp")
    await over(web, im, "ended", "success")


@pytest.mark.long
async def test_the_im_user_goes_offline_in_a_call(house: House) -> None:
    """Its client still sends media, but nobody can hang up on it any more: without media for a while the call is over."""
    web, im = await im_calls(house, video=False)
    await im.ask("leave")
    await talk(web, im, video=False)
    await im.ask("vanish")
    ended = await web.state("ended", 40)
    assert ended["reason"] in ("gone", "failed-ice")  # by the bridge, or by the page, whose browser may be faster


async def test_what_it_does_not_take_is_said_otherwise_or_refused(house: House) -> None:
    """A direction is a hold (J-208). A restart by the one who was called would end its session. The call goes on."""
    web, im = await im_calls(house, video=False)
    await web.ask("restartIce")
    await web.until("a problem", lambda r: r["problems"] == ["not-negotiable ice-restart"])
    await talk(web, im, video=False)
    await web.ask("hangUp")
    await over(web, im, "ended", "success")
    await web.ask("call", im.jid)
    await web.state("ringing")
    await im.ask("accept")
    await talk(web, im, video=False)
    await web.ask("direct", "inactive")
    await im.hears_of("hold")
    await im.hears(None)
    await web.ask("direct", "sendrecv")
    await im.hears_of("resumed")
    await im.hears(web.hz)
    # Not the other way round: stanza.js never paused, and Chromium stays deaf to a stream that came while its section was inactive.
    await web.ask("hangUp")
    await over(web, im, "ended", "success")


@pytest.mark.parametrize("by", CALLS)
async def test_an_ice_restart_brings_new_credentials_to_both(house: House, by: str) -> None:
    """By the caller: stanza.js restarts, and takes a restart, only so. It is a transport-info each way, for all contents. J-171."""
    web, im = await CALLS[by](house)
    before = [(await user.ask("seen"))["ufrags"] for user in (web, im)]
    await (web if by == "web" else im).ask("restartIce")

    async def ufrags() -> list[list[list[str]]]:
        return [(await user.ask("seen"))["ufrags"] for user in (web, im)]

    def renewed(now: list[list[list[str]]]) -> bool:
        (web_local, web_remote), (im_local, im_remote) = now
        old = {ufrag for user in before for side in user for ufrag in side}
        return web_local == im_remote and web_remote == im_local and not old & {*web_local, *web_remote}

    await until("new credentials on both sides", ufrags, renewed)
    await talk(web, im)
    assert [f["description"]["type"] for f in await web.frames("in", "description")] == (["answer"] * 2 if by == "web" else ["offer"] * 2)
    for way in ("in", "out"):
        restarts = [j for j in await im.stanzas(way, "transport-info") if len(j) == 2]
        assert [[content.get("name") for content in j] for j in restarts] == [["0", "1"]]
    await web.ask("hangUp")
    await over(web, im, "ended", "success")
