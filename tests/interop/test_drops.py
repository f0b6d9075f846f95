"""The network of the page goes away for a while, and what the person sees of it. Issue 6, "Bad input"; DESIGN §5."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Route, sync_playwright

from jinglebridge.demo.handset import Handset
from jinglebridge.demo.lab import Ejabberd, LabError
from jinglebridge.web import tokens

from .bridge import BridgeProcess, wait_for
from .browser import Person, person
from .middlebox import Middlebox
from .servers import HandsetFactory, unique_user
from .test_contact import hears, two_tones

TONES = two_tones()
LOST = "Connection lost. Reconnecting… Your call goes on meanwhile."


class Place:
    """A bridge behind a network that can be taken away, and a person there who knows a contact."""

    def __init__(self, server: Ejabberd, folder: Path, **limits: Any) -> None:
        self.bridge = BridgeProcess(folder, server, start=False)
        self.box = Middlebox(self.bridge.port, "pass")
        self.bridge.write_config(web={"public_url": self.box.url}, limits={"calls_per_minute": 1000, **limits})
        self.alice: Person
        self.echo: Handset

    def __enter__(self) -> Place:
        self.bridge.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.bridge.close()
        self.box.close()

    def people(self, alice: Person, handset: HandsetFactory) -> Place:
        self.alice, self.echo = alice, handset(self.bridge.server, None, "--tone", str(TONES[1]))
        return self

    def open(self, **claims: Any) -> None:
        self.alice.open(f"{self.box.url}/#token={self.bridge.token(unique_user('alice'), self.echo.jid, **claims)}")

    def call(self) -> None:
        self.alice.press(f"Call {self.echo.user}")
        self.talk()

    def talk(self) -> None:
        self.alice.connected()
        self.alice.media_grows(video=False)
        self.alice.hears_tone(TONES[1])
        self.echo.until(hears(TONES[0]))

    def hang_up(self) -> None:
        self.alice.press("Hang up")
        assert self.echo.wait("ended")["reason"] == "peer: success"
        self.alice.sees(f"Call with {self.echo.user} ended")
        assert self.echo.report()["violations"] == [] and self.alice.problems == []
        wait_for("nothing is left", lambda: self.bridge.calls() == [])


@pytest.fixture
def alice(tmp_path: Path) -> Iterator[Person]:
    with sync_playwright() as playwright, person(playwright, tmp_path, TONES[0]) as alice:
        yield alice


@pytest.fixture(scope="module")
def hasty(ejabberd: Ejabberd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Where a lost connection can be resumed for 3 s only."""
    with Place(ejabberd, tmp_path_factory.mktemp("bridge"), resume=3.0, linger=3.0) as place:
        yield place


@pytest.fixture
def place(hasty: Place, alice: Person, handset: HandsetFactory) -> Place:
    return hasty.people(alice, handset)


def silence(place: Place, seconds: float) -> None:
    """Nothing is closed, nothing passes: both sides find out by themselves, the page within 15 s."""
    alice = place.alice
    place.open()
    place.call()
    place.box.freeze()
    began = time.monotonic()
    alice.press("Mute")
    if seconds > 15:
        alice.sees(re.escape(LOST))
    place.echo.until(lambda r: r["heard"]["silence"])
    while time.monotonic() - began < seconds:
        alice.media_grows(video=False)
    assert not place.echo.report(log=False)["call"]["muted_by_peer"]
    place.box.mend()
    place.echo.until(lambda r: r["call"]["muted_by_peer"])
    alice.gone("Connection lost")
    alice.press("Unmute")
    place.talk()
    place.hang_up()


def too_long(place: Place, window: float) -> None:
    """The call is over at both sides, and each is told why; the page calls again."""
    alice = place.alice
    place.open()
    place.call()
    place.box.cut()
    alice.sees(re.escape(LOST))
    assert place.echo.wait("ended", timeout=window + 15.0)["reason"] == "peer: gone"
    place.box.mend()
    alice.sees(f"The call was lost: {place.echo.user} or the connection has gone away.")
    alice.offers("Call again")
    alice.gone("Connection lost")
    alice.press("Call again")
    place.talk()
    place.hang_up()


def test_media_goes_on_and_so_does_the_call(place: Place) -> None:
    silence(place, 5.0)


def test_too_long_is_the_end_of_the_call(place: Place) -> None:
    too_long(place, 3.0)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_with_the_times_as_they_are(own_ejabberd: Ejabberd, alice: Person, handset: HandsetFactory, tmp_path: Path) -> None:
    with Place(own_ejabberd, tmp_path / "bridge") as place:  # the other one has a bridge already
        silence(place.people(alice, handset), 60.0)
        too_long(place.people(alice, handset), 120.0)


def test_a_token_that_expires_in_a_call(place: Place) -> None:
    """A call and a short loss need it no more. After a long one the person reads why they are not let in, and what became of the call."""
    alice = place.alice
    began = time.time()
    place.open(lifetime=8 - tokens.LEEWAY)
    place.call()
    time.sleep(max(0.0, began + 9.0 - time.time()))
    place.box.cut()
    alice.sees(re.escape(LOST))
    place.box.mend()
    alice.gone("Connection lost")
    place.talk()
    place.box.cut()
    assert place.echo.wait("ended")["reason"] == "peer: gone"
    place.box.mend()
    alice.sees(f"The call was lost: {place.echo.user} or the connection has gone away. Your link has expired")
    assert place.echo.report()["violations"] == [] and alice.problems == []


def test_a_computer_that_slept(place: Place) -> None:
    """All timers of the page are late by an hour. While the network is there nothing happens; if it was not, the page finds out."""
    alice = place.alice
    alice.page.clock.install()
    place.open()
    place.call()
    alice.page.clock.fast_forward("01:00:00")
    place.talk()
    place.box.cut()
    assert place.echo.wait("ended")["reason"] == "peer: gone"
    place.box.mend()
    alice.page.clock.fast_forward("08:00:00")
    alice.sees(f"The call was lost: {place.echo.user} or the connection has gone away.")
    alice.gone("Connection lost")


def test_a_page_that_is_older_than_the_bridge(place: Place) -> None:
    def older(route: Route) -> None:
        reply = route.fetch()
        text = reply.text().replace("const VERSION = 1\n", "const VERSION = 0\n")
        assert text != reply.text()
        headers = {name: value for name, value in reply.headers.items() if name not in ("etag", "last-modified")}
        route.fulfill(response=reply, body=text, headers=headers)

    place.alice.page.route("**/client/signalling.js", older)
    alice = place.alice
    alice.page.goto(f"{place.box.url}/#token={place.bridge.token(unique_user('alice'))}")
    alice.sees("This page is out of date. Reload it")
    alice.page.unroute_all()
    alice.page.reload()  # with no second link
    alice.sees("Contacts")
    assert "#" not in alice.page.url
    assert alice.problems == []


@pytest.mark.long
def test_after_an_outage_the_page_is_back_before_it_is_shown_as_gone(
    own_ejabberd: Ejabberd, alice: Person, handset: HandsetFactory, tmp_path: Path
) -> None:
    """However long the bridge was away: somebody looks at this page, so it asks often enough for the window after a start."""
    with Place(own_ejabberd, tmp_path / "bridge") as place:
        place.people(alice, handset).open()
        alice.sees("Online")
        place.bridge.signal(signal.SIGKILL)
        alice.sees("Connection lost. Reconnecting…")
        time.sleep(8.0)
        place.bridge.start()
        alice.gone("Connection lost", timeout=3.5)
        time.sleep(4.0)  # until the window is over
        with pytest.raises(LabError):
            place.echo.wait("presence", timeout=0.1, type="unavailable")
        place.call()
        place.hang_up()
