"""The call button of docs/how-to/embed.md in a page of another site, which has a strict CSP and gives tokens; and a site that may not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, expect, sync_playwright

from jinglebridge.demo.lab import Ejabberd

from .bridge import BridgeProcess, wait_for
from .browser import person
from .middlebox import Middlebox
from .rtc import firefox
from .servers import HandsetFactory, unique_user
from .shop import Shop, furnish, reads
from .test_contact import hears

REFUSED = """(url) => new Promise((done) => {
  const socket = new WebSocket(url, ['jinglebridge.v1'])
  socket.onopen = () => done('open')
  socket.onclose = () => done('closed')
})"""


def allowed(playwright: Playwright, shop: Shop, bridge: BridgeProcess, handset: HandsetFactory, server: Ejabberd, folder: Path) -> None:
    alice = handset(server, unique_user("alice"), "--tone", "1100")
    user = unique_user("anna")
    shop.token = bridge.token(user, alice.jid, name="Anna")
    furnish(shop, bridge, alice.jid)
    folder.mkdir()
    with person(playwright, folder, 700) as anna:
        shop.visited(anna)
        reads(anna, "Support is online")
        button = anna.page.get_by_role("button", name="Call Support")
        expect(button).to_have_css("background-color", "rgb(0, 87, 183)")
        expect(anna.page.get_by_role("status")).to_have_css("font-weight", "700")
        button.focus()
        anna.page.keyboard.press("Enter")
        anna.connected()
        expect(anna.page.get_by_role("status")).to_have_text("Connected")
        expect(anna.page.get_by_role("button", name="Hang up")).to_be_focused()
        reads(anna, r"0:0\d")
        anna.hears_tone(1100)
        anna.media_grows(video=False)
        anna.plays(video=False)
        alice.until(hears(700))  # type: ignore[arg-type]
        mute = anna.page.get_by_role("button", name="Mute")
        mute.click()
        expect(mute).to_have_attribute("aria-pressed", "true")
        alice.until(lambda report: report["heard"]["silence"])
        anna.press("Hang up")
        assert alice.wait("ended")["reason"] == "peer: success"
        anna.offers("Call Support")
        expect(button).to_be_focused()
        reads(anna, "Call with Support ended")
        assert anna.page.evaluate("told") == ["call", "ended ended"]
        assert shop.asked == [("GET", True)], "one session for presence and the call"
        assert anna.problems == [], "no error, nothing against the site's CSP"


def refused(playwright: Playwright, shop: Shop, bridge: BridgeProcess, folder: Path) -> None:
    """The same page at another address: an origin that the bridge does not know."""
    with person(playwright, folder) as eve:
        eve.page.goto(f"http://127.0.0.1:{shop.port}/")
        for _ in range(100):
            if any("CORS" in problem for problem in eve.problems):
                break
            eve.page.wait_for_timeout(50)
        else:
            raise AssertionError(f"the browser gave the module to the page: {eve.problems}")
        assert eve.page.evaluate("customElements.get('jingle-call') === undefined")
        assert eve.page.evaluate(REFUSED, bridge.url.replace("http", "ws") + "/ws") == "closed"
        wait_for("the refusal", lambda: "origin-refused" in bridge.log())
        assert f"http://127.0.0.1:{shop.port}" in bridge.log()


def test_a_call_button_in_the_page_of_another_site(ejabberd: Ejabberd, handset: HandsetFactory, tmp_path: Path) -> None:
    shop = Shop()
    bridge = BridgeProcess(tmp_path / "bridge", ejabberd, web={"allowed_origins": [shop.origin]})
    try:
        with shop.open(), sync_playwright() as playwright:
            allowed(playwright, shop, bridge, handset, ejabberd, tmp_path / "anna")
            refused(playwright, shop, bridge, tmp_path / "eve")
    finally:
        bridge.close()


@pytest.mark.long
def test_the_button_where_no_websocket_passes(ejabberd: Ejabberd, handset: HandsetFactory, tmp_path: Path) -> None:
    """Across sites, so the browser asks before each kind of request. The guide's CSP lets it."""
    shop = Shop()
    bridge = BridgeProcess(tmp_path / "bridge", ejabberd, start=False)
    box = Middlebox(bridge.port)
    bridge.url = box.url
    bridge.write_config(web={"public_url": box.url, "allowed_origins": [shop.origin]})
    try:
        bridge.start()
        with shop.open(), sync_playwright() as playwright:
            allowed(playwright, shop, bridge, handset, ejabberd, tmp_path / "anna")
        assert box.refused == 1 and not box.cookies
        assert {box.count(f"OPTIONS /stream{path}") for path in ("", "/frames")} == {1}, "asked once, and remembered"
    finally:
        bridge.close()
        box.close()


@pytest.mark.long
async def test_the_button_in_firefox(ejabberd: Ejabberd, handset: HandsetFactory, tmp_path: Path) -> None:
    shop = Shop()
    bridge = BridgeProcess(tmp_path / "bridge", ejabberd, web={"allowed_origins": [shop.origin]})
    try:
        alice = handset(ejabberd, unique_user("alice"), "--tone", "1100")
        shop.token = bridge.token(unique_user("anna"), alice.jid, name="Anna")
        furnish(shop, bridge, alice.jid)
        (tmp_path / "anna").mkdir()
        with shop.open():
            async with firefox(f"http://localhost:{shop.port}/shop.css", tmp_path / "anna") as browser:
                page = await browser.page()
                await page.run("document.cookie = 'user=anna'")
                page = await browser.page(f"http://localhost:{shop.port}/")

                async def until(condition: str) -> None:
                    inside = "const inside = document.querySelector('jingle-call').shadowRoot"
                    loop = f"while (!({condition})) await new Promise((next) => setTimeout(next, 50))"
                    await asyncio.wait_for(page.run(f"(async () => {{ {inside}; {loop} }})()"), 20)

                await until("inside.textContent.includes('Support is online')")
                await until("(inside.querySelector('button').click(), true)")
                await until("inside.querySelector('[role=status]').textContent === 'Connected'")
                await until("inside.querySelector('audio').currentTime > 0 && !inside.querySelector('audio').paused")
                await asyncio.to_thread(alice.until, lambda report: report["heard"] and not report["heard"]["silence"])
                await until("(inside.querySelector('[part~=mute]').click(), inside.querySelector('[part~=mute]').ariaPressed === 'true')")
                await asyncio.to_thread(alice.until, lambda report: report["heard"]["silence"])
                await until("(inside.querySelector('[part~=hang-up]').click(), true)")
                await asyncio.to_thread(alice.wait, "ended")
                await until("inside.activeElement === null && told.join() === 'call,ended ended'")
    finally:
        bridge.close()
