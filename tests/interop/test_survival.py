"""What a call survives: another network in the middle of it. Two browsers, one of them in a network that changes; see roads.py.

That it survives the bridge's death is in test_journal.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Playwright, sync_playwright

from jinglebridge.demo.lab import Ejabberd

from .bridge import BridgeProcess, wait_for
from .browser import CHROMIUM, Person, person
from .house import over
from .roads import FIRST, HOME, SECOND, Traveller, road
from .rtc import FIREFOX, Browser, chromium, firefox
from .servers import HandsetFactory, skipped_when_missing, unique_user
from .test_contact import two_tones
from .users import WebUser, script, talk, until

TONES = two_tones()
BACK_WITHIN = 20.0  # seconds from the loss of the address until both hear again; on a quiet machine 6
# On a quiet machine 8, and 13 where Firefox is at home and takes no pair at first. Where its own restart then crosses another, 8 more.
BACK_WITH_FIREFOX = 30.0

# Who speaks ICE, and by which of our addresses media goes.
WAY = f"""() => {{
  if (!globalThis.media) {{ {script("media_page.js")} }}
  return media.seen(window.jinglebridge.call.peerConnection)
}}"""


class Lab:
    """The traveller, and a server and a bridge at home. All pages come from HOME: Firefox, where the page has opened no microphone (ours
    is Web Audio), takes only the address by which it gets to the page's. A page by http has one only in a browser that calls it safe."""

    def __init__(self, traveller: Traveller, server: Ejabberd, folder: Path) -> None:
        self.traveller, self.server, self.folder = traveller, server, folder
        self.bridge = BridgeProcess(folder / "bridge", server, start=False)
        url = f"http://{HOME}:{self.bridge.port}"
        self.bridge.write_config(web={"listen": f"0.0.0.0:{self.bridge.port}", "insecure_ok": True, "allowed_origins": [url]})
        self.bridge.url = url
        self.bridge.start()
        self.flags = (f"--unsafely-treat-insecure-origin-as-secure={url}",)

    def person(self, stack: ExitStack, playwright: Playwright, name: str, hz: int, *, travels: bool = False) -> Person:
        folder = self.folder / name
        folder.mkdir()
        program = self.traveller.program(folder, CHROMIUM) if travels else None
        return stack.enter_context(person(playwright, folder, hz, flags=self.flags, program=program))

    def browser(self, name: str, folder: Path, *, travels: bool) -> AbstractAsyncContextManager[Browser]:
        program = CHROMIUM if name == "chromium" else FIREFOX
        if travels:
            program = self.traveller.program(folder, program)
        if name == "chromium":
            return chromium(self.bridge.url, *self.flags, program=program)
        way = self.traveller.socket if travels else None
        return firefox(self.bridge.url, folder, program=program, socket_factory=way, preferences={"dom.securecontext.allowlist": HOME})


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


def moved(seen: dict[str, Any] | None) -> bool:
    return bool(seen and seen["address"] == SECOND and seen["state"] == "connected")


def restarted(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Both sides have new ICE credentials."""
    return not {ufrag for side in before["ufrags"] for ufrag in side} & {ufrag for side in after["ufrags"] for ufrag in side}


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
        there.open(lab.bridge.link(anna, lab.bridge.jid(bert)))
        there.press(f"Call {bert}")
        here.press("Accept")
        for page, hz in ((there, TONES[1]), (here, TONES[0])):
            page.connected()
            page.hears_tone(hz)
        before = way(there)
        assert before["address"] == FIRST, before
        lab.traveller.moves()
        began = time.monotonic()
        wait_for("media goes by the new address", lambda: moved(way(there)), BACK_WITHIN)
        for page in (there, here):
            hears_again(page)
        took = time.monotonic() - began
        assert took < BACK_WITHIN, took
        for page, hz in ((there, TONES[1]), (here, TONES[0])):
            page.connected()
            page.media_grows(video=False)
            page.hears_tone(hz)
        assert restarted(before, way(there))
        there.press("Hang up")
        here.sees(f"Call with {anna} ended")
        wait_for("nothing is left", lambda: lab.bridge.calls() == [])


@pytest.mark.long
@pytest.mark.parametrize("caller", ["the traveller", "the one at home"])
@pytest.mark.parametrize(("abroad", "at_home"), [("firefox", "chromium"), ("chromium", "firefox")])
async def test_with_firefox_a_call_goes_on_by_another_network(lab: Lab, tmp_path: Path, abroad: str, at_home: str, caller: str) -> None:
    """Both hear the tone of the other again in time, whoever is to restart first; see lifeline.js."""
    lab.traveller.returns()
    anna, bert = unique_user("anna"), unique_user("bert")
    async with AsyncExitStack() as stack:
        browser = await stack.enter_async_context(lab.browser(abroad, tmp_path, travels=True))
        there = await WebUser.open(browser, lab.bridge, anna, TONES[0], lab.bridge.jid(bert))
        browser = await stack.enter_async_context(lab.browser(at_home, tmp_path, travels=False))
        here = await WebUser.open(browser, lab.bridge, bert, TONES[1], lab.bridge.jid(anna))
        one, other = (there, here) if caller == "the traveller" else (here, there)
        await one.knows(other.jid)
        await one.ask("call", other.jid)
        await other.state("incoming")
        await other.ask("accept")
        await talk(there, here, video=False)
        before = await there.ask("seen")
        assert before["address"] == FIRST, before
        lab.traveller.moves()
        began = time.monotonic()
        await until("media goes by the new address", lambda: there.ask("seen"), moved, BACK_WITH_FIREFOX)
        await talk(there, here, video=False)
        took = time.monotonic() - began
        assert took < BACK_WITH_FIREFOX, took
        assert restarted(before, await there.ask("seen"))
        await there.ask("hangUp")
        await over(there, here)
        wait_for("nothing is left", lambda: not any(anna in str(call) for call in lab.bridge.calls()))


@pytest.mark.long
def test_with_somebody_who_cannot_restart_it_ends_in_words_and_the_next_call_works(lab: Lab, handset: HandsetFactory) -> None:
    """As with Dino and Monal: no new credentials are sent to them. The call ends when the browser gives up; "Call again" is one press."""
    lab.traveller.returns()
    contact = handset(lab.server, None, "--shape", "dino", "--tone", str(TONES[1]), loopback=False)
    with sync_playwright() as playwright, ExitStack() as stack:
        there = lab.person(stack, playwright, "alone", TONES[0], travels=True)
        there.open(lab.bridge.link(unique_user("anna"), contact.jid))
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
