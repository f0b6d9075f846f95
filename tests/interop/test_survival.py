"""What a call survives: another network in the middle of it. Two Chromium, one of them in a network that changes; see roads.py.

That it survives the bridge's death is in test_journal.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Playwright, sync_playwright

from jinglebridge.demo.lab import Ejabberd

from .bridge import BridgeProcess, wait_for
from .browser import Person, person
from .roads import FIRST, HOME, SECOND, Traveller, road
from .servers import HandsetFactory, skipped_when_missing, unique_user
from .test_contact import two_tones

TONES = two_tones()
BACK_WITHIN = 20.0  # seconds from the loss of the address until both hear again; 6 on a quiet machine

# Which of our addresses the media goes out by, and the ICE credentials of both sides.
WAY = """async () => {
  const { peerConnection, state } = window.jinglebridge.call
  const stats = [...(await peerConnection.getStats()).values()]
  const used = stats.find((item) => item.type === 'transport')?.selectedCandidatePairId
  const pair = stats.find((item) => item.id === used)
  const local = stats.find((item) => item.id === pair?.localCandidateId)
  const descriptions = [peerConnection.currentLocalDescription, peerConnection.currentRemoteDescription]
  const ufrags = descriptions.map(({ sdp }) => /a=ice-ufrag:(\\S+)/.exec(sdp)[1])
  return { address: local?.address, pair: pair?.state, ufrags, state }
}"""


class Lab:
    """The traveller, and a server and a bridge at home."""

    def __init__(self, traveller: Traveller, server: Ejabberd, folder: Path) -> None:
        self.traveller, self.server, self.folder = traveller, server, folder
        self.bridge = BridgeProcess(folder / "bridge", server, start=False)
        self.url = f"http://{HOME}:{self.bridge.port}"
        self.bridge.write_config(web={"listen": f"0.0.0.0:{self.bridge.port}", "insecure_ok": True, "allowed_origins": [self.url]})
        self.bridge.start()

    def link(self, user: str, *contacts: str) -> str:
        """For the traveller, whose way to the bridge is the road."""
        return self.bridge.link(user, *contacts).replace(self.bridge.url, self.url)

    def person(self, stack: ExitStack, playwright: Playwright, name: str, hz: int, *, travels: bool = False) -> Person:
        folder = self.folder / name
        folder.mkdir()
        flags = (f"--unsafely-treat-insecure-origin-as-secure={self.url}",) if travels else ()
        program = self.traveller.chromium(folder) if travels else None
        return stack.enter_context(person(playwright, folder, hz, flags=flags, program=program))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("survival")
    with skipped_when_missing(), road() as traveller:
        server = Ejabberd(folder / "ejabberd", shaper="none").start()
        lab = None
        try:
            lab = Lab(traveller, server, folder)
            yield lab
        finally:
            if lab is not None:
                lab.bridge.close()
            server.stop()


def way(page: Person) -> dict[str, Any]:
    found: dict[str, Any] = page.page.evaluate(WAY)
    return found


def by_the_other(page: Person) -> bool:
    found = way(page)
    return found["address"] == SECOND and found["state"] == "connected"


def hears_again(page: Person) -> None:
    before = page.stats()["audioPackets"]
    wait_for("packets of the other side", lambda: page.stats()["audioPackets"] > before, BACK_WITHIN)


def test_a_call_goes_on_by_another_network(lab: Lab) -> None:
    """The address of the interface is replaced by another one: the socket resumes, ICE restarts with a new offer, and both hear again."""
    lab.traveller.returns()
    anna, bert = unique_user("anna"), unique_user("bert")
    with sync_playwright() as playwright, ExitStack() as stack:
        here = lab.person(stack, playwright, "here", TONES[1])
        there = lab.person(stack, playwright, "there", TONES[0], travels=True)
        here.open(lab.bridge.link(bert, lab.bridge.jid(anna)))
        there.open(lab.link(anna, lab.bridge.jid(bert)))
        there.press(f"Call {bert}")
        here.press("Accept")
        for page, hz in ((there, TONES[1]), (here, TONES[0])):
            page.connected()
            page.hears_tone(hz)
        before = way(there)
        assert before["address"] == FIRST, before
        lab.traveller.moves()
        began = time.monotonic()
        wait_for("media goes by the new address", lambda: by_the_other(there), BACK_WITHIN)
        for page in (there, here):
            hears_again(page)
        took = time.monotonic() - began
        assert took < BACK_WITHIN, took
        for page, hz in ((there, TONES[1]), (here, TONES[0])):
            page.connected()
            page.media_grows(video=False)
            page.hears_tone(hz)
        after = way(there)
        assert not set(before["ufrags"]) & set(after["ufrags"]), "no ICE restart"
        there.press("Hang up")
        here.sees(f"Call with {anna} ended")
        wait_for("nothing is left", lambda: lab.bridge.calls() == [])


@pytest.mark.long
def test_with_somebody_who_cannot_restart_it_ends_in_words_and_the_next_call_works(lab: Lab, handset: HandsetFactory) -> None:
    """As with Dino and Monal: no new credentials are sent to them. The call ends when the browser gives up; "Call again" is one press."""
    lab.traveller.returns()
    contact = handset(lab.server, None, "--shape", "dino", "--tone", str(TONES[1]), loopback=False)
    with sync_playwright() as playwright, ExitStack() as stack:
        there = lab.person(stack, playwright, "alone", TONES[0], travels=True)
        there.open(lab.link(unique_user("anna"), contact.jid))
        there.press(f"Call {contact.user}")
        there.connected()
        there.hears_tone(TONES[1])
        assert not there.page.evaluate("window.jinglebridge.call.abilities.restart")
        lab.traveller.moves()
        there.sees("Reconnecting", timeout=20)
        there.sees("Call again", timeout=60)
        assert contact.wait("ended")["reason"], "the other side knows, too"
        there.press("Call again")
        there.connected()
        there.hears_tone(TONES[1])
        assert way(there)["address"] == SECOND
        there.press("Hang up")
        assert contact.wait("ended")["reason"] == "peer: success"
