"""A walk through every view of the page, of a person and of a guest. Everything is found by id: the walk is the same in each language."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from fake_people import People
from playwright.async_api import Browser, BrowserContext, Page, expect

from jinglebridge.web import messages as m


@dataclass
class Look:
    """How a browser shows the page. `text`: how large, in per cent."""

    width: int = 1280
    height: int = 800
    scheme: Any = "light"
    locale: str = "en-US"
    text: int = 100
    faults: list[str] = field(default_factory=list)

    async def context(self, browser: Browser) -> BrowserContext:
        context = await browser.new_context(
            viewport={"width": self.width, "height": self.height},
            color_scheme=self.scheme,
            locale=self.locale,
            reduced_motion="reduce",  # a picture in the middle of an animation has no contrast to speak of
            permissions=["camera", "microphone"],
        )
        context.on("weberror", lambda error: self.faults.append(str(error.error)))
        context.on("console", lambda line: self.faults.append(line.text) if "Content Security Policy" in line.text else None)
        return context

    async def open(self, context: BrowserContext, url: str, view: str) -> Page:
        page = await context.new_page()
        if self.text != 100:
            devtools = await context.new_cdp_session(page)
            await devtools.send("Page.setFontSizes", {"fontSizes": {"standard": 16 * self.text // 100}})
        await page.goto(url)
        await expect(page.locator(f"body[data-view={view}]")).to_have_count(1)
        return page


async def walk(bridge: People, browser: Browser, look: Look) -> AsyncIterator[tuple[str, Page]]:
    """Name of the view, and the page that shows it."""
    async for view in doorstep(bridge, browser, look):
        yield view
    async for view in person(bridge, browser, look):
        yield view
    async for view in guest(bridge, browser, look):
        yield view
    assert look.faults == []


async def doorstep(bridge: People, browser: Browser, look: Look) -> AsyncIterator[tuple[str, Page]]:
    context = await look.context(browser)
    page = await look.open(context, bridge.url, "doorstep")
    yield "sign-in", page
    await page.locator("#proof-jid").fill("nobody")
    await page.locator("#proof-begin").click()
    await expect(page.locator("#proof-error")).to_be_visible()
    yield "sign-in-wrong", page
    await page.locator("#proof-jid").fill("alice@example.org")
    await page.locator("#proof-begin").click()
    await page.locator("#proof-code").fill("0000")
    await page.locator("#proof-enter").click()
    await expect(page.locator("#proof-error")).to_be_visible()
    yield "proof", page
    await page.locator("#proof-code").fill("1234")
    await page.locator("#proof-enter").click()
    await expect(page.locator("body[data-view=home]")).to_have_count(1)
    await page.locator("#open-settings").click()
    await expect(page.locator("#device-list li")).to_have_count(2)
    yield "settings", page
    await context.close()


async def person(bridge: People, browser: Browser, look: Look) -> AsyncIterator[tuple[str, Page]]:
    bridge.abilities = m.Abilities(add=True, modify=True)
    context = await look.context(browser)
    alice = await look.open(context, f"{bridge.url}#token=alice", "home")
    session = next(s for s in reversed(bridge.sessions) if s.user == "alice")
    media = m.Media(audio=True, video=False)
    await session.event(m.Missed(from_="erin@call.example.org", name="Erin", media=media, at="2026-05-28T09:00:00Z"))
    await expect(alice.locator("#missed li")).to_have_count(1)
    await expect(alice.locator("#history li")).to_have_count(5)
    yield "home", alice
    more = alice.locator(".contact .more summary").first
    await more.click()
    yield "more", alice
    await more.click()
    await alice.locator("#search").fill("mul")
    await expect(alice.locator(".contact:visible")).to_have_count(1)
    yield "search", alice
    await alice.locator("#search").fill("nobody here")
    await expect(alice.locator("#search-none")).to_be_visible()
    yield "search-none", alice
    await alice.locator("#search").press("Escape")
    await alice.locator("#check").click()
    await expect(alice.locator("#preview")).to_be_visible()
    yield "devices", alice
    await alice.locator("#setup-done").click()
    other = await browser.new_context(permissions=["camera", "microphone"])
    bob = await look.open(other, f"{bridge.url}#token=bob", "home")
    async for view in call(alice, bob):
        yield view
    await other.close()
    bridge.down = True
    await bridge.drop("alice")
    await expect(alice.locator("#banner")).to_be_visible()
    yield "lost", alice
    bridge.down = False
    await context.close()


async def call(alice: Page, bob: Page) -> AsyncIterator[tuple[str, Page]]:
    await alice.locator(".contact[data-jid^='bob@'] .video").click()
    await expect(alice.locator("#call-state")).not_to_be_empty()
    await expect(bob.locator("#incoming")).to_be_visible()
    yield "ringing", alice
    await bob.locator("#accept-video").click()
    await expect(alice.locator("#call-quality")).to_be_visible()
    await expect(alice.locator("#remote-video")).to_be_visible()
    yield "call", alice
    await alice.locator("#keypad").click()
    yield "keypad", alice
    await alice.locator("#keypad").click()
    await alice.locator("#hold").click()
    yield "hold", alice
    await alice.locator("#setup-call").click()
    yield "devices-in-call", alice
    await alice.locator("#setup-done").click()
    await alice.locator("#hang-up").click()
    await expect(alice.locator("#result")).to_be_visible()
    yield "result", alice
    await alice.locator("#done").click()
    await expect(bob.locator("#result")).to_be_visible()
    await bob.locator("#done").click()
    await bob.locator(".contact[data-jid^='alice@'] .video").click()
    await expect(alice.locator("#incoming")).to_be_visible()
    yield "incoming", alice
    await alice.locator("#accept").click()
    await expect(alice.locator("#call-quality")).to_be_visible()
    yield "audio-call", alice
    await alice.locator("#hang-up").click()


async def guest(bridge: People, browser: Browser, look: Look) -> AsyncIterator[tuple[str, Page]]:
    context = await look.context(browser)
    page = await look.open(context, f"{bridge.url}c/expired", "doorstep")
    yield "guest-expired", page
    await page.close()
    page = await look.open(context, f"{bridge.url}c/good", "home")
    yield "guest", page
    await page.locator("#call-audio").click()
    await expect(page.locator("#problem")).to_be_visible()
    yield "guest-nameless", page
    other = await browser.new_context(permissions=["camera", "microphone"])
    alice = await look.open(other, f"{bridge.url}#token=alice", "home")
    await page.locator("#name").fill("Anna")
    await page.locator("#call-video").click()
    await expect(alice.locator("#incoming")).to_be_visible()
    await alice.locator("#accept-video").click()
    await expect(page.locator("#call-quality")).to_be_visible()
    await expect(page.locator("#remote-video")).to_be_visible()
    yield "guest-call", page
    bridge.link = "spent"
    await alice.locator("#hang-up").click()
    await expect(page.locator("#again")).to_be_hidden()
    yield "guest-result", page
    await page.locator("#done").click()
    await expect(page.locator("#doorstep")).to_be_visible()
    yield "guest-spent", page
    bridge.link = "good"
    await other.close()
    await context.close()
