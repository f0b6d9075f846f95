"""The main job: a page in Chromium and an independent Jingle contact talk through the bridge and a real server.

Here it is ejabberd; test_first_call_prosody.py has the same tests with Prosody.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Playwright, sync_playwright

from jinglebridge.demo.handset import Handset
from jinglebridge.demo.lab import Ejabberd, Prosody

from .bridge import BridgeProcess
from .browser import Person, person
from .servers import HandsetFactory, unique_user
from .test_contact import hears, two_tones


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as p:
        yield p


@pytest.fixture(scope="module")
def server(ejabberd: Ejabberd) -> Ejabberd | Prosody:
    return ejabberd


@pytest.fixture(scope="module")
def bridge(server: Ejabberd | Prosody, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    bridge = BridgeProcess(tmp_path_factory.mktemp("bridge"), server, limits={"ring": 6.0, "calls_per_minute": 1000})
    yield bridge
    bridge.close()


TONES = two_tones()
ContactFactory = Callable[..., Handset]


@pytest.fixture(scope="module")
def alice_page(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with person(playwright, tmp_path_factory.mktemp("alice"), TONES[0]) as alice:
        yield alice


VIDEO = pytest.mark.parametrize("video", [False, True], ids=["audio", "video"])


@pytest.fixture
def contact(bridge: BridgeProcess, handset: HandsetFactory) -> Callable[..., Handset]:
    """``contact("dino", auto="ring")``: an IM contact that sends its own tone."""

    def make(shape: str = "modern", auto: str = "accept") -> Handset:
        return handset(bridge.server, unique_user("echo"), "--shape", shape, "--tone", str(TONES[1]), auto=auto)

    return make


def name_of(handset: Handset) -> str:
    return handset.jid.partition("@")[0]


def opened(bridge: BridgeProcess, page: Person, *contacts: Handset) -> str:
    """The page of a new person who knows these contacts; the person's address."""
    user = unique_user("alice")
    page.open(bridge.link(user, *(c.jid for c in contacts)))
    for c in contacts:
        c.until(lambda r: any(full.startswith(bridge.jid(user)) and p["features"] for full, p in r["peers"].items()))
    return bridge.jid(user)


def both_hear_and_see(page: Person, contact: Handset, *, video: bool) -> None:
    page.connected()
    page.plays(video=video)
    page.media_grows(video=video)
    page.hears_tone(TONES[1])
    contact.until(hears(TONES[0]))  # type: ignore[arg-type]
    if video:
        seen = contact.report(log=False)["video"]["frames"]
        contact.until(lambda r: r["video"]["frames"] > seen + 5)


def remembered(bridge: BridgeProcess, echo: Handset, by: str) -> None:
    """The operator can look the call up: who ended it, and that the page's statistics saw media."""
    call = next(c for c in reversed(bridge.all_calls()) if c["with"] == echo.jid)
    assert (call["state"], call["reason"], call["by"], call["mediaSeen"]) == ("ended", "ended", by, True), call
    assert call["relayed"] is not None, call


def faultless(contact: Handset, page: Person) -> None:
    """The contact judges every stanza as the strictest clients do; a missing <finish/> it blames after 4 s, so either has come."""
    contact.until(lambda r: not any(call["finish_due"] for call in r["calls"]))
    time.sleep(0.3)  # for what should not come after it
    assert contact.report()["violations"] == []
    assert page.problems == []


@VIDEO
@pytest.mark.parametrize("shape", ["modern", "dino"])
def test_page_calls_contact(bridge: BridgeProcess, alice_page: Person, contact: ContactFactory, shape: str, video: bool) -> None:
    echo = contact(shape)
    opened(bridge, alice_page, echo)
    alice_page.press(f"{'Video call' if video else 'Call'} {name_of(echo)}")
    both_hear_and_see(alice_page, echo, video=video)
    alice_page.press("Hang up")
    assert echo.wait("ended")["reason"] == "peer: success"
    alice_page.sees(f"Call with {name_of(echo)} ended")
    alice_page.sees(f"Recent calls\\s+{name_of(echo)}\\s+Outgoing {'video call' if video else 'call'}, 0:\\d\\d")
    remembered(bridge, echo, by="page")
    faultless(echo, alice_page)


@VIDEO
@pytest.mark.parametrize("shape", ["modern", "dino"])
def test_contact_calls_page(bridge: BridgeProcess, alice_page: Person, contact: ContactFactory, shape: str, video: bool) -> None:
    echo = contact(shape)
    alice = opened(bridge, alice_page, echo)
    echo.send("call", to=alice, media=["audio", "video"] if video else ["audio"])
    alice_page.press("Accept with video" if video else "Accept")
    both_hear_and_see(alice_page, echo, video=video)
    echo.send("hangup")
    alice_page.sees(f"Call with {name_of(echo)} ended")
    remembered(bridge, echo, by="peer")
    faultless(echo, alice_page)


def test_page_declines(bridge: BridgeProcess, alice_page: Person, contact: ContactFactory) -> None:
    echo = contact()
    alice = opened(bridge, alice_page, echo)
    echo.send("call", to=alice, media=["audio"])
    alice_page.press("Decline")
    assert echo.wait("ended")["reason"] == "declined"
    alice_page.sees("You declined the call")
    faultless(echo, alice_page)


def test_contact_declines(bridge: BridgeProcess, alice_page: Person, contact: ContactFactory) -> None:
    echo = contact(auto="decline")
    opened(bridge, alice_page, echo)
    alice_page.press(f"Call {name_of(echo)}")
    alice_page.sees(f"{name_of(echo)} (declined|is in another call)")
    faultless(echo, alice_page)


def test_nobody_answers_and_the_call_is_retracted(bridge: BridgeProcess, alice_page: Person, contact: ContactFactory) -> None:
    echo = contact(auto="ring")
    opened(bridge, alice_page, echo)
    alice_page.press(f"Call {name_of(echo)}")
    alice_page.sees("Ringing…")
    alice_page.sees(f"{name_of(echo)} did not answer")
    assert echo.wait("ended")["reason"] == "retracted"
    alice_page.sees("Outgoing call, not answered")
    faultless(echo, alice_page)


def test_caller_gives_up(bridge: BridgeProcess, alice_page: Person, contact: ContactFactory) -> None:
    echo = contact(auto="ring")
    alice = opened(bridge, alice_page, echo)
    alice_page.press(f"Call {name_of(echo)}")
    alice_page.sees("Ringing…")
    alice_page.press("Hang up")
    assert echo.wait("ended")["reason"] == "retracted"
    echo.send("call", to=alice, media=["audio"])
    alice_page.offers("Accept")
    echo.send("retract")
    alice_page.sees(f"{name_of(echo)} stopped calling")
    faultless(echo, alice_page)


def test_contact_offline_is_said_before_and_during_the_call(bridge: BridgeProcess, alice_page: Person, contact: ContactFactory) -> None:
    echo = contact()
    opened(bridge, alice_page, echo)
    alice_page.sees("Online")
    name = name_of(echo)
    echo.send("quit")
    alice_page.sees("Offline")
    alice_page.press(f"Call {name}")
    alice_page.sees(f"{name} looks offline")
    alice_page.sees(f"{name} (did not answer|cannot be reached)")
    assert alice_page.problems == []


def test_mute_silences_and_is_told(bridge: BridgeProcess, alice_page: Person, contact: ContactFactory) -> None:
    """Neither tone is found in silence."""
    echo = contact()
    opened(bridge, alice_page, echo)
    alice_page.press(f"Call {name_of(echo)}")
    both_hear_and_see(alice_page, echo, video=False)
    alice_page.press("Mute")
    echo.until(lambda r: r["call"]["muted_by_peer"])
    echo.until(lambda r: r["heard"]["silence"])
    assert not hears(TONES[0])(echo.report(log=False))  # type: ignore[operator]
    alice_page.press("Unmute")
    echo.until(hears(TONES[0]))  # type: ignore[arg-type]
    echo.send("mute")
    alice_page.sees("is muted")
    alice_page.hears_silence()
    alice_page.press("Hang up")
    faultless(echo, alice_page)


def test_bridge_restarts_under_an_idle_page(bridge: BridgeProcess, alice_page: Person, contact: ContactFactory) -> None:
    """Killed without warning and started by hand: the same page, with the same address, calls again."""
    echo = contact()
    alice = opened(bridge, alice_page, echo)
    before = alice_page.page.evaluate("window.jinglebridge.bridge.jid")
    bridge.signal(signal.SIGKILL)
    alice_page.sees("Connection lost. Reconnecting…")
    bridge.start()
    alice_page.gone("Connection lost. Reconnecting…")
    assert alice_page.page.evaluate("window.jinglebridge.bridge.jid") == before
    alice_page.sees("Online")
    alice_page.press(f"Call {name_of(echo)}")
    both_hear_and_see(alice_page, echo, video=False)
    alice_page.press("Hang up")
    echo.wait("ended")
    echo.send("call", to=alice, media=["audio"])
    alice_page.press("Accept")
    both_hear_and_see(alice_page, echo, video=False)
    alice_page.press("Hang up")
    faultless(echo, alice_page)
