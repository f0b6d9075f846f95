"""What two people do in a call, in Chromium and Firefox, judged by what arrives at the other: screen, devices, mute, keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from jinglebridge.demo.lab import Ejabberd

from .bridge import BridgeProcess, wait_for
from .display import display
from .house import CC, CF, FC, TONES, House, house, over
from .rtc import Browsers, empty_page
from .servers import skipped_when_missing
from .users import User, WebUser, flows, talk, until

__all__ = ["house"]
pytestmark = pytest.mark.asyncio(loop_scope="module")
CAMERA_SIZE = [640, 480]  # of the fake ones of both browsers
OTHER = 1400  # Hz; of another microphone
CAMERA = "navigator.mediaDevices.enumerateDevices().then((all) => all.filter(({ kind }) => kind === 'videoinput').at(-1).deviceId)"
SLIDES = "<category xmlns='urn:xmpp:jingle:apps:category:0' name='slides'/>"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_house(ejabberd: Ejabberd, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Its pages are of another site, whose policy lets a worker look at packets."""
    async with AsyncExitStack() as stack:
        at = await stack.enter_async_context(empty_page())
        bridge = BridgeProcess(tmp_path_factory.mktemp("bridge"), ejabberd, web={"allowed_origins": [at.rstrip("/")]})
        stack.callback(bridge.close)
        with skipped_when_missing():
            screen = stack.enter_context(display())  # Firefox without a window has no screen to share
        yield House(Browsers(stack, tmp_path_factory.mktemp("firefox"), at, screen), bridge, at)


def pairs(*ordinary: str) -> pytest.MarkDecorator:
    """The first of the two does it."""
    return pytest.mark.parametrize("browsers", [p if p in ordinary else pytest.param(p, marks=pytest.mark.long) for p in (CC, CF, FC)])


async def sees(user: User, size: list[int]) -> Any:
    return await until(f"{user.jid} sees a picture of {size}", lambda: user.ask("seen"), lambda seen: seen.get("size") == size)


async def shares(user: WebUser) -> list[int]:
    """The size of the screen."""
    await user.page.touch()
    return await user.ask("shareScreen", True)  # type: ignore[no-any-return]


async def is_told(user: WebUser, screen: bool) -> None:
    await user.until(f"the picture is a screen: {screen}", lambda r: r["call"]["remoteSharing"] is screen)


@pairs(FC)
async def test_a_screen_in_a_section_of_its_own(house: House, ejabberd: Ejabberd, browsers: str) -> None:
    """J-223: the content that is added says that it is slides, in XML and to the other page."""
    log = ejabberd.folder / "log/ejabberd.log"
    ejabberd.api("set_loglevel", loglevel="debug")
    try:
        a, b = await house.call(browsers, video=False)
        size = await shares(a)
        await is_told(b, True)
        await sees(b, size)
        await flows(a, b, to_a=("audio",))
        wait_for("the category in the server's log", lambda: SLIDES in log.read_text(errors="replace").replace('"', "'"), 5)
    finally:
        ejabberd.api("set_loglevel", loglevel="info")
    await a.ask("shareScreen", False)
    await is_told(b, False)
    await talk(a, b, video=False)
    await a.ask("hangUp")
    await over(a, b)


@pairs()
async def test_a_screen_instead_of_the_camera_and_back(house: House, browsers: str) -> None:
    a, b = await house.call(browsers)
    await sees(b, CAMERA_SIZE)
    screen = await shares(a)
    assert screen != CAMERA_SIZE
    await is_told(b, True)
    await sees(b, screen)
    await talk(a, b)
    await a.ask("shareScreen", False)
    await is_told(b, False)
    await sees(b, CAMERA_SIZE)
    await talk(a, b)
    await b.ask("hangUp")
    await over(b, a)


@pairs(CF)
async def test_mute_and_another_microphone_and_camera(house: House, browsers: str) -> None:
    a, b = await house.call(browsers)
    before = len(await a.frames("out", "description"))
    await a.ask("mute", True)
    await b.until("that the other is muted", lambda r: r["call"]["remoteMuted"])
    await b.hears(None)
    await a.ask("mute", False)
    await b.until("that the other is not", lambda r: not r["call"]["remoteMuted"])
    await b.hears(a.hz)
    await a.page.run(f"media.tone({OTHER})")  # of the next microphone
    await a.ask("switchDevice", {"audioinput": "another", "videoinput": await a.page.run(CAMERA)})
    await b.hears(OTHER)
    await flows(a, b)
    await a.ask("camera", False)
    await b.until("that the camera is off", lambda r: r["call"]["remoteCameraOff"])
    await flows(a, b, to_b=("audio",))
    await a.ask("camera", True)
    await flows(a, b)
    assert len(await a.frames("out", "description")) == before, "nothing of this is negotiated"
    await a.ask("hangUp")
    await over(a, b)


@pairs(CF, FC)
async def test_keys_arrive_as_telephone_events(house: House, browsers: str) -> None:
    """RFC 4733: each key as packets of its own, after SRTP and in the payload type that was negotiated through the bridge."""
    a, b = await house.pair(browsers)
    await b.ask("noteKeys")
    await a.ask("call", b.jid)
    await b.state("incoming")
    await b.ask("accept")
    await talk(a, b, video=False)
    await a.ask("dtmf", "19")
    await a.ask("dtmf", "#D")  # after those that are not played yet
    keys = await until("four keys", lambda: b.ask("keys"), lambda seen: len({packet["timestamp"] for packet in seen["found"]}) == 4)
    packets = keys["found"]
    events: dict[int, int] = {packet["timestamp"]: packet["event"] for packet in packets}
    assert list(events.values()) == [1, 9, 11, 15]
    assert {packet["payloadType"] for packet in packets} <= set(keys["types"])
    assert all(any(p["end"] and p["duration"] >= 300 for p in packets if p["timestamp"] == key) for key in events)
    await b.hears(TONES[0])
    await a.ask("hangUp")
    await over(a, b)
