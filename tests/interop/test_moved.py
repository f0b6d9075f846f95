"""A call that goes on as another one, at the real call page: nothing rings, and the person talks on. J-067, J-069."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect, sync_playwright

from jinglebridge.demo.lab import Ejabberd

from .bridge import BridgeProcess, wait_for
from .browser import Person, person
from .servers import HandsetFactory, unique_user
from .test_contact import hears, two_tones
from .two_sides import AUDIO, Peer

TONES = two_tones()


class Crossing(Peer):
    """Calls at the very moment it is called, with an id that wins."""

    def _jmi(self, kind: str, id: str, sender: str, type: str) -> None:
        if kind == "propose" and self.phase == "idle":
            self.session, self.phase = ("0", sender.partition("/")[0]), "ringing"
            self._message("propose", AUDIO)
        else:
            super()._jmi(kind, id, sender, type)


@pytest.fixture(scope="module")
def bridge(ejabberd: Ejabberd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    bridge = BridgeProcess(tmp_path_factory.mktemp("bridge"), ejabberd)
    yield bridge
    bridge.close()


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with sync_playwright() as playwright, person(playwright, tmp_path_factory.mktemp("alice"), TONES[0]) as alice:
        yield alice


# Every call of the page, what it heard of it, and whether the panel of a ringing call was ever open.
WATCH = """() => {
  const seen = window.seen = { rang: 0, moved: [], ended: [] }
  new MutationObserver(() => { if (document.getElementById('incoming').open) seen.rang++ })
    .observe(document.getElementById('incoming'), { attributes: true })
  window.follow = (call) => {
    call.addEventListener('moved', ({ detail }) => { seen.moved.push(call.id); window.follow(detail) })
    call.addEventListener('ended', ({ detail }) => seen.ended.push(detail.reason))
  }
}"""


def test_a_running_call_goes_on_with_a_device_that_was_started_anew(
    ejabberd: Ejabberd, bridge: BridgeProcess, alice: Person, handset: HandsetFactory
) -> None:
    """Its process is killed, so it says nothing; the new one, at the same address, proposes again. Sound both ways, muted as before."""
    user = unique_user("phone")
    same = ("--jid", f"{user}@{ejabberd.domain}/same", "--tone", str(TONES[1]))
    phone = handset(ejabberd, user, *same)
    alice.open(bridge.link(name := unique_user("alice"), phone.jid))
    alice.page.evaluate(WATCH)
    alice.press(f"Call {user}")
    alice.connected()
    alice.page.evaluate("window.follow(window.jinglebridge.call)")
    alice.hears_tone(TONES[1])
    alice.press("Mute")
    phone.until(lambda r: r["call"]["muted_by_peer"])
    phone.process.kill()
    phone.process.wait()
    again = handset(ejabberd, user, *same)
    again.send("call", to=bridge.jid(name), media=["audio"])
    alice.sees(f"{user} went on with another device")
    alice.connected()
    alice.media_grows(video=False)
    alice.hears_tone(TONES[1])
    again.until(lambda r: r["call"]["muted_by_peer"] and r["heard"]["silence"])
    alice.press("Unmute")
    again.until(hears(TONES[0]))
    assert alice.page.evaluate("window.seen.rang") == 0
    assert alice.page.evaluate("window.seen.ended") == ["moved"] and len(alice.page.evaluate("window.seen.moved")) == 1
    alice.press("Hang up")
    assert again.wait("ended")["reason"] == "peer: success"
    alice.sees(f"Call with {user} ended")
    wait_for("nothing is left", lambda: bridge.calls() == [])
    assert alice.problems == []


def test_crossing_calls_are_one_and_the_page_asks_nobody(ejabberd: Ejabberd, bridge: BridgeProcess, alice: Person) -> None:
    peer = Crossing(ejabberd, unique_user("peer"))
    try:
        alice.open(bridge.link(unique_user("alice"), peer.jid))
        alice.page.evaluate(WATCH)
        alice.press(f"Call {peer.user}")
        wait_for("the peer's call is accepted", lambda: peer.phase == "active")
        told = [what for what in peer.heard if what != "transport-info"]
        assert told == ["ringing", "retract", "proceed", "session-accept"], peer.heard
        expect(alice.page.locator("#call-name")).to_have_text(peer.user)
        assert alice.page.evaluate("window.seen.rang") == 0
        assert alice.page.evaluate("window.jinglebridge.call.localStream.getTracks().map((track) => track.readyState)") == ["live"]
        peer.hang_up()
        alice.sees(f"Call with {peer.user} ended")
        assert alice.problems == []
    finally:
        peer.close()
