"""The main job: a page in Chromium and an independent Jingle contact talk through the bridge and a real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, sync_playwright

from jinglebridge.demo.lab import Ejabberd, Prosody

from .bridge import BridgeProcess
from .browser import Person, person
from .servers import HandsetFactory, unique_user
from .test_contact import hears, two_tones


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as p:
        yield p


@pytest.fixture(scope="module", params=["ejabberd", "prosody"])
def server(request: pytest.FixtureRequest) -> Ejabberd | Prosody:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def bridge(server: Ejabberd | Prosody, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    bridge = BridgeProcess(tmp_path_factory.mktemp("bridge"), server, limits={"ring": 6.0, "calls_per_minute": 1000})
    yield bridge
    bridge.close()


TONES = two_tones()


@pytest.fixture(scope="module")
def alice_page(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with person(playwright, tmp_path_factory.mktemp("alice"), TONES[0]) as alice:
        yield alice


@pytest.mark.parametrize("shape", ["modern", "dino"])
@pytest.mark.parametrize("medium", ["audio", "video"])
def test_page_calls_contact(bridge: BridgeProcess, alice_page: Person, handset: HandsetFactory, shape: str, medium: str) -> None:
    alice, user = alice_page, unique_user("alice")
    echo = handset(bridge.server, unique_user("echo"), "--shape", shape, "--tone", str(TONES[1]))
    name = echo.jid.partition("@")[0]
    alice.open(bridge.link(user, echo.jid))
    alice.press(f"Call {name}" if medium == "audio" else f"Video call {name}")
    alice.connected()
    alice.media_grows(video=medium == "video")
    alice.hears_tone(TONES[1])
    echo.until(hears(TONES[0]))
    if medium == "video":
        seen = echo.report(log=False)["video"]["frames"]
        echo.until(lambda r: r["video"]["frames"] > seen + 5)
    alice.press("Hang up")
    ended = echo.wait("ended")
    assert ended["reason"] == "peer: success"
    time.sleep(4.2)  # the contact blames a missing <finish/> after 4 s
    assert echo.report()["violations"] == []
    assert alice.problems == []
