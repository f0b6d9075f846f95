"""What goes wrong around a call, with the real page, bridge and server: each time both people can read what happened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Dialog, Playwright, expect, sync_playwright

from jinglebridge.demo.lab import Ejabberd

from .bridge import BridgeProcess, wait_for
from .browser import Person, person
from .servers import unique_user
from .test_contact import two_tones

TONES = two_tones()


@pytest.fixture(scope="module")
def bridge(ejabberd: Ejabberd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    bridge = BridgeProcess(tmp_path_factory.mktemp("bridge"), ejabberd)
    yield bridge
    bridge.close()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browsers(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Person, Person]]:
    with ExitStack() as stack:
        folders: list[Path] = [tmp_path_factory.mktemp(name) for name in ("anna", "bert")]
        yield stack.enter_context(person(playwright, folders[0], TONES[0])), stack.enter_context(person(playwright, folders[1], TONES[1]))


@pytest.fixture
def pair(bridge: BridgeProcess, browsers: tuple[Person, Person]) -> Iterator[tuple[Person, Person]]:
    """Two people who have each other as contacts."""
    anna, bert = unique_user("anna"), unique_user("bert")
    browsers[0].open(bridge.link(anna, bridge.jid(bert)))
    browsers[1].open(bridge.link(bert, bridge.jid(anna)))
    browsers[0].name, browsers[1].name = anna, bert
    yield browsers
    for page in browsers:
        page.page.goto("about:blank")
        assert page.problems == []


# Presses the button of this name at a time.
PRESS_AT = """([name, at]) => {
  const button = [...document.querySelectorAll('button')].find((one) => [one.ariaLabel, one.textContent.trim()].includes(name))
  setTimeout(() => button.click(), at - Date.now())
}"""


def talk(anna: Person, bert: Person) -> None:
    for page, hz in ((anna, TONES[1]), (bert, TONES[0])):
        page.connected()
        page.hears_tone(hz)


def test_reload(pair: tuple[Person, Person]) -> None:
    """Warned before, ended at once with a reason, and called again by one press from the same address. DESIGN §5."""
    anna, bert = pair
    anna.press(f"Call {bert.name}")
    bert.press("Accept")
    talk(anna, bert)
    jid = anna.page.evaluate("window.jinglebridge.bridge.jid")
    asked: list[str] = []

    def reload(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    anna.page.once("dialog", reload)
    anna.page.reload()
    assert asked == ["beforeunload"]
    bert.sees("The call was lost")
    anna.sees(f"The page was loaded anew, so the call with {bert.name} ended")
    assert anna.page.evaluate("window.jinglebridge.bridge.jid") == jid
    anna.press("Call again")
    bert.press("Accept")
    talk(anna, bert)
    anna.press("Hang up")
    bert.sees(f"Call with {anna.name} ended")


def test_camera_and_microphone_are_taken_away(pair: tuple[Person, Person]) -> None:
    """The permission is withdrawn, which ends the tracks as a pulled plug does."""
    anna, bert = pair
    anna.press(f"Video call {bert.name}")
    bert.press("Accept with video")
    talk(anna, bert)
    bert.plays(video=True)
    session = anna.page.context.new_cdp_session(anna.page)
    session.send("Browser.setPermission", {"permission": {"name": "camera"}, "setting": "denied"})
    anna.sees("Your microphone was unplugged, so they cannot hear you")  # Chromium takes both, in either order
    anna.sees("Your camera was unplugged")
    anna.offers("Start video")
    bert.hears_silence()
    expect(bert.page.locator("#remote-video")).to_be_hidden()
    anna.hears_tone(TONES[1])  # the call goes on
    bert.press("Hang up")
    anna.sees(f"Call with {bert.name} ended")


def test_no_microphone_is_allowed(bridge: BridgeProcess, browsers: tuple[Person, Person], playwright: Playwright, tmp_path: Path) -> None:
    """The browser says no. No call goes out; one that comes in goes on ringing, and can be taken to listen only."""
    anna, mute = unique_user("anna"), unique_user("mute")
    caller = browsers[0]
    with person(playwright, tmp_path, TONES[1], flags=("--use-fake-ui-for-media-stream=deny",)) as page:
        page.page.context.clear_permissions()
        page.open(bridge.link(mute, bridge.jid(anna)))
        caller.open(bridge.link(anna, bridge.jid(mute)))
        page.press(f"Call {anna}")
        page.sees("The browser does not let this page use your microphone")
        assert bridge.calls() == []
        page.press("Close")
        caller.press(f"Call {mute}")
        page.press("Accept")
        page.sees("The browser does not let this page use your microphone")
        assert [call["state"] for call in bridge.calls() if call["direction"] == "in"] == ["incoming"]
        page.press("Accept without microphone")
        page.connected()
        page.hears_tone(TONES[0])
        page.press("Hang up")
        caller.sees(f"Call with {mute} ended")
        assert page.problems == []


def test_both_call_at_once(pair: tuple[Person, Person], bridge: BridgeProcess) -> None:
    """It is one call, and nobody has to answer, whichever of the two came first."""
    anna, bert = pair
    at = anna.page.evaluate("Date.now() + 800")
    for page, other in ((anna, bert), (bert, anna)):
        page.page.evaluate(PRESS_AT, [f"Call {other.name}", at])
    talk(anna, bert)
    wait_for("one call is left", lambda: len(bridge.calls()) == 2)  # of two sessions of this bridge
    for page in pair:
        expect(page.page.locator("#incoming")).not_to_be_visible()
        assert page.page.evaluate("window.jinglebridge.bridge.calls.length") == 1
    anna.press("Hang up")
    bert.sees(f"Call with {anna.name} ended")
    wait_for("nothing is left", lambda: bridge.calls() == [])
