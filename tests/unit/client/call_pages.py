"""The call page in a real Chromium, with a bridge that has no XMPP (`fake_server`): what its tests share."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest_asyncio
from aiohttp import web
from fake_people import People
from fake_server import FakeBridge
from playwright.async_api import Browser, Page, async_playwright, expect

ARGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --use-fake-ui-for-media-stream --use-fake-device-for-media-stream=device-count=2"
).split()
expect.set_options(timeout=20_000)  # ms; the machine may have much else to do
NO_DEVICE = """kinds => {
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices)
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    for (const [kind, name] of Object.entries(kinds)) if (wanted[kind]) throw new DOMException('no', name)
    return real(wanted)
  }
}"""
Open = Callable[..., Awaitable[Page]]
Fake = TypeVar("Fake", bound=FakeBridge)


@asynccontextmanager
async def served(fake: Fake) -> AsyncIterator[Fake]:
    """While it lasts the fake listens, at its `url`."""
    runner = web.AppRunner(fake.app(), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield fake
    await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="module")
async def bridge() -> AsyncIterator[FakeBridge]:
    async with served(FakeBridge()) as fake:
        yield fake


@pytest_asyncio.fixture(loop_scope="module")
async def people() -> AsyncIterator[People]:
    async with served(People()) as fake:
        yield fake


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One for all; each page has a profile of its own."""
    chromium = shutil.which("chromium")
    assert chromium, "chromium is missing: install the Debian package"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def enter(bridge: FakeBridge, browser: Browser) -> AsyncIterator[Open]:
    """Opens the page as a user, in a profile of its own; fails at the end when a page had an error or broke the CSP."""
    faults: list[str] = []

    async def open_page(user: str, without: dict[str, str] | None = None) -> Page:
        context = await browser.new_context(permissions=["camera", "microphone"])
        page = await context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None)
        if without:
            await page.add_init_script(f"({NO_DEVICE})({without})")
        await page.goto(f"{bridge.url}#token={user}")
        await expect(page.get_by_role("heading", name="Contacts")).to_be_visible()
        return page

    yield open_page
    for context in browser.contexts:
        await context.close()
    assert faults == []


def press(page: Page, name: str) -> Awaitable[None]:
    return page.get_by_role("button", name=name, exact=True).click()


async def connected(*pages: Page) -> None:
    for page in pages:
        await expect(page.locator("#call-state")).to_contain_text("Connected")


async def sounds(page: Page) -> None:
    """Waits until the sound of the other side really plays: an element without data does not move on."""
    await page.evaluate("""async () => {
      const audio = document.getElementById('remote-audio')
      while (audio.paused || audio.readyState < 2 || audio.currentTime === 0) await new Promise((next) => setTimeout(next, 50))
    }""")


async def frames_grow(page: Page) -> None:
    """Waits until the page has shown 10 more pictures of the other side. (The CSP forbids page.wait_for_function.)"""
    await page.evaluate("""async () => {
      const video = document.getElementById('remote-video')
      for (let n = 0; n < 10; n++) await new Promise((next) => video.requestVideoFrameCallback(next))
    }""")


async def end_reason(page: Page) -> Any:
    return await page.evaluate("""() => new Promise((tell) => {
      const { call } = window.jinglebridge
      if (call.ended) tell(call.reason)
      else call.addEventListener('ended', ({ detail }) => tell(detail.reason))
    })""")
