"""What goes wrong around a call, with the page in real Firefox: each time the person can read what happened. Issue 6, "Bad input".

The network that goes away, a reload, and no microphone: test_page_firefox.py. All of it in Chromium: test_drops.py, test_mishaps.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from jinglebridge.demo.lab import Ejabberd
from jinglebridge.web import tokens

from .bridge import wait_for
from .rtc import Firefox, firefox
from .servers import HandsetFactory, unique_user
from .test_contact import knows
from .test_drops import LOST, TONES, Place
from .test_page_firefox import FIREFOX_HZ, FRAMES, FirefoxPerson

pytestmark = [pytest.mark.timeout(180), pytest.mark.long]

TALKS = "document.getElementById('call-state').textContent === 'Connected'"
RESULT = "!document.getElementById('result').hidden && document.getElementById('result-text').innerText"
PRESENCE = "document.querySelector('[data-presence] .words').innerText"  # Alice's
SLEPT_AT_LEAST = 12.5  # seconds after which the bridge takes a silent page for gone

# The longest time by which a timer of the page came too late.
LATE = """void (() => {
  let before = performance.now()
  window.late = 0
  setInterval(() => {
    late = Math.max(late, performance.now() - before - 100)
    before = performance.now()
  }, 100)
})()"""
# Run before the page: it speaks version 0 of the protocol, and counts how often it says so.
OLDER = """() => {
  window.older = 0
  const { send } = WebSocket.prototype
  WebSocket.prototype.send = function (text) {
    const old = text.replace('"version":1,', '"version":0,')
    if (old !== text) window.older += 1
    return send.call(this, old)
  }
}"""
# What the browser does when its own "stop sharing" is pressed; run in its window.
STOP_SHARING = """void (() => {
  const page = gBrowser.selectedBrowser.browsingContext.currentWindowGlobal
  page.getActor('WebRTC').sendAsyncMessage('webrtc:StopSharing', String(page.innerWindowId))
})()"""


def family(pid: int) -> list[int]:
    """A process and all that come from it."""
    parents = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(file.parent.name)] = int(file.read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


@contextmanager
def asleep(browser: Firefox) -> Iterator[None]:
    """It stands still as a whole, as in a computer that sleeps; its connections stay as they are, and all timers come late."""
    processes = family(browser.pid)
    assert len(processes) > 3, "Firefox has a process for its pages"
    try:
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


class Scene:
    """Firefox, where Wanda is, behind a network that can be taken away, and Alice, whom she knows."""

    def __init__(self, place: Place, browser: Firefox) -> None:
        self.place, self.bridge, self.browser = place, place.bridge, browser
        self.alice, self.user = place.echo, unique_user("wanda")
        self.over = f"Call with {self.alice.user} ended."
        self.lost = f"The call was lost: {self.alice.user} or the connection has gone away."

    async def open(self, *, where: str = "tab", **claims: Any) -> FirefoxPerson:
        token = self.bridge.token(self.user, self.alice.jid, **claims)
        page = await FirefoxPerson.open(self.browser, f"{self.place.box.url}/#token={token}", where=where)
        await page.sees("Contacts")
        return page

    async def call(self, page: FirefoxPerson, *, by: str = "Call {}") -> None:
        await page.press(by.format(self.alice.user))
        await self.talk(page)

    async def talk(self, page: FirefoxPerson) -> None:
        await page.until(TALKS)
        await page.hears(TONES[1])
        await self.alice_has(lambda r: r["heard"]["hz"] and abs(r["heard"]["hz"] - FIREFOX_HZ) < 8 and not r["heard"]["silence"])

    async def alice_has(self, test: Callable[[Any], Any]) -> None:
        await asyncio.to_thread(self.alice.until, test, 20.0)

    async def end(self) -> str:
        """Why the call ended, as Alice was told."""
        reason: str = (await asyncio.to_thread(self.alice.wait, "ended", 60.0))["reason"]
        return reason

    async def hang_up(self, page: FirefoxPerson) -> None:
        await page.press("Hang up")
        await self.end()
        await page.sees(self.over)
        await self.nothing_is_left(page)

    async def nothing_is_left(self, *pages: FirefoxPerson) -> None:
        await self.until("no call is left", lambda: self.bridge.calls() == [])
        assert [await page.run("faults") for page in pages] == [[]] * len(pages)
        assert self.alice.report()["violations"] == []

    async def until(self, what: str, condition: Any, patience: float = 30.0) -> None:
        await asyncio.to_thread(wait_for, what, condition, patience)


@asynccontextmanager
async def scene(server: Ejabberd, handset: HandsetFactory, folder: Path) -> AsyncIterator[Scene]:
    with Place(server, folder / "bridge", resume=6.0, linger=3.0) as place:
        place.echo = handset(server, None, "--tone", str(TONES[1]))
        (folder / "firefox").mkdir()
        flags = ("--remote-allow-system-access",)  # for STOP_SHARING
        async with firefox(f"{place.box.url}/healthz", folder / "firefox", flags=flags) as browser:
            yield Scene(place, browser)


@pytest.fixture
async def here(ejabberd: Ejabberd, handset: HandsetFactory, tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(ejabberd, handset, tmp_path) as here:
        yield here


async def back(page: FirefoxPerson) -> None:
    await page.until("document.getElementById('banner').hidden")


async def test_a_computer_that_sleeps(here: Scene) -> None:
    """For a moment: the call goes on. For longer than a session lasts: the person reads what became of it, and calls again."""
    page = await here.open()
    await here.call(page)
    with asleep(here.browser):
        await here.alice_has(lambda r: r["heard"]["age"] > 2)
    await here.talk(page)
    await page.run(LATE)
    with asleep(here.browser):
        assert await here.end() == "peer: gone"
    await page.sees(here.lost)
    await page.until(f"late > {1000 * SLEPT_AT_LEAST}")
    await back(page)
    await here.call(page, by="Call again")
    await here.hang_up(page)


async def test_a_token_that_expires_in_a_call(here: Scene) -> None:
    """A call and a short loss need it no more. After a long one the person reads why they are not let in, and what became of the call."""
    lifetime = 15
    expires = time.time() + lifetime
    page = await here.open(lifetime=lifetime - tokens.LEEWAY)
    await here.call(page)
    await here.until("the token expires", lambda: time.time() > expires + 1)
    here.place.box.cut()
    await page.sees(LOST)
    here.place.box.mend()
    await back(page)
    await here.talk(page)
    here.place.box.cut()
    assert await here.end() == "peer: gone"
    here.place.box.mend()
    await page.sees(f"{here.lost} Your link has expired; links are good for a few minutes.")
    await here.nothing_is_left(page)


async def test_camera_and_microphone_are_taken_away(here: Scene) -> None:
    """By the browser's own "stop sharing", which ends the tracks as a pulled plug does. The call goes on without them."""
    page = await here.open()
    await here.call(page, by="Video call {}")
    await here.alice_has(lambda r: r["video"]["frames"] > 5)
    window = (await here.browser.command("browsingContext.getTree", **{"moz:scope": "chrome"}))["contexts"][0]["context"]
    await FirefoxPerson(here.browser, window).run(STOP_SHARING)
    await page.sees("Your microphone was unplugged, so they cannot hear you. Choose another one, or call again.")
    await page.sees("Your camera was unplugged. The call goes on without it.")
    await page.sees("Start video")
    await here.alice_has(lambda r: r["heard"]["silence"])
    await page.hears(TONES[1])
    assert await page.run(FRAMES) > 0
    await asyncio.to_thread(here.alice.send, "hangup")
    await page.sees(here.over)
    await here.nothing_is_left(page)


async def test_two_pages_answer_at_the_same_time(here: Scene) -> None:
    """One has the call. At the other the person reads that it was answered elsewhere, though their own answer was under way."""
    pages = [await here.open(), await here.open(where="window")]
    jid = here.bridge.jid(here.user)
    await asyncio.to_thread(knows, here.alice, jid)
    await asyncio.to_thread(lambda: here.alice.send("call", to=jid, media=["audio"]))
    for page in pages:
        await page.until("document.getElementById('incoming').open")
    here.place.box.freeze()  # neither hears of the other
    for page in pages:
        await page.press("Accept")
        await page.until("document.getElementById('accept').disabled")
    here.place.box.mend()
    ends = [await page.until(f"{TALKS} ? 'Connected' : {RESULT}") for page in pages]
    assert sorted(ends) == ["Connected", "The call was answered on another device or page."]
    winner = pages[ends.index("Connected")]
    await here.talk(winner)
    await winner.press("Hang up")
    await winner.sees(here.over)
    await here.nothing_is_left(*pages)


async def test_a_page_that_is_older_than_the_bridge(here: Scene) -> None:
    """The reload that it asks for lets the person in, with no second link."""
    made = await here.browser.command("script.addPreloadScript", functionDeclaration=OLDER)
    page = await FirefoxPerson.open(here.browser, f"{here.place.box.url}/#token={here.bridge.token(here.user)}")
    await page.sees("This page is out of date. Reload it")
    assert await page.run("older") == 1
    await here.nothing_is_left(page)
    await here.browser.command("script.removePreloadScript", script=made["script"])
    await page.reload()
    await page.sees("Contacts")
    assert "#" not in await page.run("location.href")


async def test_servers_that_restart_in_a_call(own_ejabberd: Ejabberd, handset: HandsetFactory, tmp_path: Path) -> None:
    """The bridge, and then the XMPP server, die without warning. Both times the call goes on, and the hang-up gets through."""
    async with scene(own_ejabberd, handset, tmp_path) as here:
        page = await here.open()
        await here.call(page)
        here.bridge.signal(signal.SIGKILL)
        await page.sees(LOST)
        await page.hears(TONES[1])
        await asyncio.to_thread(here.bridge.start)
        await back(page)
        await here.talk(page)

        await page.until(f"{PRESENCE} === 'Online'")
        await asyncio.to_thread(own_ejabberd.kill9)
        await here.until("the bridge says that it is not ready", lambda: here.bridge.http("/readyz")[0] == 503)
        await page.until(f"/^(Presence not shared|Offline)/.test({PRESENCE})")
        await here.talk(page)
        await asyncio.to_thread(own_ejabberd.start)
        await here.until("the bridge is ready again", here.bridge.ready)
        await here.talk(page)
        await page.press("Hang up")
        assert (await here.end()).startswith("peer:")
        await page.sees(here.over)
        await here.nothing_is_left(page)
