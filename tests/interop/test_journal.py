"""The bridge is killed in the middle of calls, and both sides must come to the same end. DESIGN §4 (Journal), §5.

`kill -9` comes after every single effect of a call, in both directions; the long run has one test for each, the ordinary one a sample.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from jinglebridge.demo.lab import Ejabberd

from .bridge import BridgeProcess, wait_for
from .browser import person
from .servers import HandsetFactory, unique_user
from .test_contact import hears, two_tones
from .two_sides import Page, Peer

EFFECTS = 40  # more than any of these calls has
SAMPLE = {"out": (3, 9, 16), "in": (3, 8, 14)}
SOON = 5.0  # seconds from the restart to the end of a call that was not up; DESIGN §5
LATE = 20.0  # … of one whose accept was lost on the way


def each(direction: str) -> list[Any]:
    return [
        pytest.param(direction, n, id=f"{direction}-{n}", marks=() if n in SAMPLE[direction] else pytest.mark.long)
        for n in range(1, EFFECTS + 1)
    ]


class Stage:
    def __init__(self, server: Ejabberd, folder: Path) -> None:
        self.server = server
        self.bridge = BridgeProcess(folder, server, start=False, policy={"echo": False}, log={"level": "info", "format": "text"})
        self.made: list[Any] = []

    def start_mortal(self, effect: int) -> None:
        """A bridge that dies after that effect."""
        program = [sys.executable, str(Path(__file__).with_name("killed_bridge.py")), str(self.bridge.config), str(effect)]
        with self.bridge.log_file.open("ab") as log:
            self.bridge.process = subprocess.Popen(program, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_for("the bridge is ready", self.bridge.ready, 60.0)

    def sides(self) -> tuple[Page, Peer]:
        peer = Peer(self.server, unique_user("peer"))
        self.made.append(peer)
        page = Page(self.bridge, unique_user("page"), peer.jid)
        self.made.append(page)
        return page, peer

    def kill(self) -> None:
        assert self.bridge.process is not None
        self.bridge.process.kill()
        self.bridge.process.wait()

    def restart(self) -> float:
        self.bridge.start()
        return time.monotonic()

    def died(self) -> bool:
        return self.bridge.process is not None and self.bridge.process.poll() is not None

    def close(self) -> None:
        for side in self.made:
            side.close()
        self.bridge.close()

    def log(self) -> str:
        return self.bridge.log_file.read_text()[-6000:]


@pytest.fixture
def stage(ejabberd: Ejabberd, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(ejabberd, tmp_path / "bridge")
    yield stage
    stage.close()


def talk_and_hang_up(page: Page) -> None:
    """What the person at the page does as soon as the call is up."""
    page.on_up = lambda: page._loop.call_later(0.6, lambda: (page.request("info", call=page.call, info="mute"), hang_up_later(page)))


def hang_up_later(page: Page) -> None:
    page._loop.call_later(0.3, lambda: page.request("hangup", call=page.call))


@pytest.mark.parametrize(("direction", "effect"), [*each("out"), *each("in")])
def test_killed_after_each_effect(stage: Stage, direction: str, effect: int) -> None:
    stage.start_mortal(effect)
    page, peer = stage.sides()
    talk_and_hang_up(page)
    if direction == "out":
        page.place(peer.jid)
    else:
        peer.propose(page.jid.partition("/")[0])
    wait_for("it dies, or the call is over", lambda: stage.died() or (page.reason is not None and peer.phase == "ended"))
    time.sleep(0.3)  # an effect after the end, or what was under way to the two sides
    if not stage.died():
        assert effect > 20 and (page.reason, peer.reason) == ("ended", "success"), "fewer effects than that are no call"
        return
    up = peer.phase == "active" and page.description is not None
    ringing = peer.phase in ("idle", "ringing", "proceeded")
    back = stage.restart()
    wait_for(
        f"both sides are at the end: {vars(page)}\n{vars(peer)}\n{stage.log()}",
        lambda: (page.reason is not None or not page.call) and peer.phase in ("ended", "idle"),
        30.0,
    )
    took = max(page.ended_at, peer.ended_at) - back
    assert peer.count("propose") <= 1 and peer.count("session-initiate") <= 1 and page.rang <= 1, peer.heard
    if up and page.reason == "ended":
        assert peer.reason == "success", (peer.reason, peer.heard)  # the hang-up of the page reached the peer
    assert took < (SOON if ringing else LATE) or page.reason == "ended", (took, page.reason, peer.reason, peer.heard)
    assert "Traceback" not in stage.bridge.log(), stage.log()
    wait_for("nothing is left", lambda: stage.bridge.calls() == [])


def up(page: Page, peer: Peer) -> None:
    page.place(peer.jid)
    wait_for("the call is up", lambda: page.description and peer.phase == "active" and peer.count("transport-info"))
    time.sleep(0.4)  # longer than the journal takes for what is not urgent


def test_a_call_goes_on_after_a_kill(stage: Stage) -> None:
    """Mute, candidates of both sides, and the hang-up of the peer; nobody is told of a change of presence."""
    stage.bridge.start()
    page, peer = stage.sides()
    up(page, peer)
    stage.kill()
    stage.restart()
    wait_for("the page is back", lambda: len(page.welcomes) == 2)
    assert [c["call"] for c in page.welcomes[1]["calls"]] == [page.call] and not page.welcomes[1]["resumed"]
    assert page.welcomes[1]["jid"] == page.welcomes[0]["jid"]
    wait_for("the peer is asked", lambda: peer.count("session-info"))
    before = peer.count("transport-info")
    page._loop.call_soon_threadsafe(page.gather, 2)
    page.request("info", call=page.call, info="mute")
    wait_for("what the page says reaches the peer", lambda: peer.count("mute") and peer.count("transport-info") > before)
    known = len(page.candidates)
    peer.gather(2)
    wait_for("what the peer says reaches the page", lambda: len(page.candidates) > known)
    assert peer.count("session-initiate") == 1 and not peer.unavailable
    peer.hang_up()
    wait_for("the page hears the end", lambda: page.reason == "ended")
    wait_for("nothing is left", lambda: stage.bridge.calls() == [])


def test_a_peer_that_hung_up_meanwhile_is_found(stage: Stage) -> None:
    stage.bridge.start()
    page, peer = stage.sides()
    up(page, peer)
    stage.kill()
    peer.hang_up()
    back = stage.restart()
    wait_for("the page hears the end", lambda: page.reason)
    assert page.reason == "gone" and page.ended_at - back < SOON


def test_a_peer_that_vanished_is_found_by_its_silence_and_the_missing_media(stage: Stage) -> None:
    stage.bridge.start()
    page, peer = stage.sides()
    up(page, peer)
    stage.kill()
    peer.close()
    page.flowing = False
    back = stage.restart()
    wait_for("the page hears the end", lambda: page.reason, 20.0)
    assert page.reason == "gone" and page.ended_at - back < 15.0


def test_a_page_that_hung_up_while_the_bridge_was_away(stage: Stage) -> None:
    stage.bridge.start()
    page, peer = stage.sides()
    up(page, peer)
    stage.kill()
    page.request("hangup", call=page.call)
    stage.restart()
    wait_for("the peer hears the end", lambda: peer.phase == "ended")
    assert peer.reason == "success"


def test_a_page_that_never_comes_back(stage: Stage) -> None:
    """Its window closes, the peer hears `gone`, and its contacts hear that it left."""
    stage.bridge.write_config(limits={"resume": 2.0, "linger": 0.5}, policy={"echo": False})
    stage.bridge.start()
    page, peer = stage.sides()
    up(page, peer)
    stage.kill()
    page.close()
    stage.made.remove(page)
    stage.restart()
    wait_for("the peer hears the end", lambda: peer.phase == "ended", 10.0)
    assert peer.reason == "gone"
    wait_for("and that the page left", lambda: peer.unavailable)


@pytest.mark.parametrize("how", [signal.SIGTERM, "stop --end-calls"])
def test_an_orderly_stop(stage: Stage, how: Any) -> None:
    """SIGTERM keeps the call for the next start; only `--end-calls` ends it."""
    stage.bridge.start()
    page, peer = stage.sides()
    up(page, peer)
    if how is signal.SIGTERM:
        assert stage.bridge.signal(how) == 0
        assert page.reason is None and peer.phase == "active" and not peer.unavailable
        stage.restart()
        wait_for("the page is back", lambda: len(page.welcomes) == 2)
        page.request("hangup", call=page.call)
        wait_for("the peer hears the end", lambda: peer.phase == "ended")
        assert peer.reason == "success"
        return
    assert stage.bridge.command(*how.split()).returncode == 0
    assert stage.bridge.process is not None and stage.bridge.process.wait(10) == 0
    assert page.reason == "ended" and peer.reason == "success" and peer.unavailable
    stage.restart()
    assert stage.bridge.calls() == []


def test_the_end_of_a_call_is_told_when_the_server_is_back(own_ejabberd: Ejabberd, tmp_path: Path) -> None:
    """The page hangs up while the XMPP server is down. Nothing is queued; the terminate is owed."""
    stage = Stage(own_ejabberd, tmp_path / "bridge")
    try:
        stage.bridge.start()
        page, peer = stage.sides()
        up(page, peer)
        peer.close()
        stage.made.remove(peer)
        own_ejabberd.kill9()
        wait_for("the bridge is not ready", lambda: stage.bridge.http("/readyz")[0] == 503)
        page.request("hangup", call=page.call)
        wait_for("the page's call is over", lambda: page.reason == "ended")
        assert stage.bridge.calls() == []
        own_ejabberd.start()
        wait_for("the bridge is ready", stage.bridge.ready)
        again = Peer(own_ejabberd, peer.user, peer)  # later than the bridge, as a phone is
        stage.made.append(again)
        again.send(f"<presence to='{page.jid}'/>")
        wait_for("the peer hears the end", lambda: again.count("session-terminate") and again.count("finish"))
    finally:
        stage.close()


def test_media_flows_over_a_kill(ejabberd: Ejabberd, tmp_path: Path, handset: HandsetFactory) -> None:
    """Chromium and an independent contact: packets and tones go on, and the hang-up works afterwards."""
    tones = two_tones()
    contact = handset(ejabberd, None, "--tone", str(tones[1]))
    bridge = BridgeProcess(tmp_path / "bridge", ejabberd)
    try:
        with sync_playwright() as playwright, person(playwright, tmp_path, tones[0]) as alice:
            alice.open(bridge.link(unique_user("alice"), contact.jid))
            alice.press(f"Call {contact.user}")
            alice.connected()
            alice.media_grows(video=False)
            assert bridge.process is not None
            bridge.process.kill()
            bridge.process.wait()
            alice.media_grows(video=False)
            bridge.start()
            alice.media_grows(video=False)
            alice.hears_tone(tones[1])
            contact.until(hears(tones[0]))
            wait_for("the page is back", lambda: alice.page.evaluate("window.jinglebridge.bridge.state") == "online")
            (call,) = bridge.calls()
            assert call["peer"] == contact.full and contact.report(log=False)["call"]["state"] == "connected"
            alice.press("Hang up")
            assert contact.wait("ended")["reason"] == "peer: success"
            wait_for("nothing is left", lambda: bridge.calls() == [])
    finally:
        bridge.close()
