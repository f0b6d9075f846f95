"""The call page in real Firefox, by mouse and keyboard: sign in, call the lab's contact, mute, hang up, be called, read it in German."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from jinglebridge.demo.lab import Ejabberd

from .bridge import BridgeProcess
from .browser import HEAR
from .middlebox import Middlebox
from .rtc import Firefox, firefox
from .servers import HandsetFactory, unique_user

pytestmark = [pytest.mark.timeout(180), pytest.mark.long]

TONE = 1100
FIREFOX_HZ = 1000  # of its fake microphone
AXE = Path(__file__).parents[1] / "unit" / "client" / "npm" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

# The one button of that name that is to be seen: where its middle is.
PLACE = """(() => {
  const seen = [...(document.querySelector('dialog[open]') ?? document).querySelectorAll('button')].filter((button) => {
    const name = button.getAttribute('aria-label') ?? button.innerText.trim()
    return name === NAME && !button.disabled && button.getClientRects().length > 0
  })
  if (seen.length !== 1) return null
  seen[0].scrollIntoView({ block: 'nearest' })
  const { left, top, width, height } = seen[0].getBoundingClientRect()
  return [Math.round(left + width / 2), Math.round(top + height / 2)]
})()"""
LISTEN = """void (() => {
  window.faults = []
  addEventListener('error', ({ message }) => faults.push(message))
  addEventListener('unhandledrejection', ({ reason }) => faults.push(String(reason)))
  addEventListener('securitypolicyviolation', ({ blockedURI, violatedDirective }) => faults.push(`${violatedDirective} ${blockedURI}`))
})()"""
FRAMES = """(async () => {
  const video = document.getElementById('remote-video')
  for (let n = 0; n < 10; n++) await new Promise((next) => video.requestVideoFrameCallback(next))
  return video.videoWidth
})()"""


class FirefoxPerson:
    """Somebody at the page, who looks, clicks and types."""

    def __init__(self, browser: Firefox, context: str) -> None:
        self.browser, self.context = browser, context

    @classmethod
    async def open(cls, browser: Firefox, url: str, *, where: str = "tab") -> FirefoxPerson:
        """`where`: in a tab or in a window of its own."""
        context = (await browser.command("browsingContext.create", type=where))["context"]
        await browser.command("browsingContext.navigate", context=context, url=url, wait="complete")
        person = cls(browser, context)
        await person.run(LISTEN)
        return person

    async def run(self, expression: str) -> Any:
        result = await self.browser.command(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({expression})) ?? 'null')()",
            target={"context": self.context},
            awaitPromise=True,
        )
        assert result["type"] == "success", result["exceptionDetails"]["text"]
        return json.loads(result["result"]["value"])

    async def until(self, expression: str, patience: float = 20.0) -> Any:
        """Its value, as soon as it is true."""
        wait = "await new Promise((next) => setTimeout(next, 50))"
        loop = f"for (;;) {{ const value = {expression}; if (value || performance.now() > end) return value; {wait} }}"
        value = await self.run(f"(async () => {{ const end = performance.now() + {1000 * patience}; {loop} }})()")
        assert value, f"not within {patience} s: {expression}; {await self.run('document.body.innerText')}"
        return value

    async def press(self, name: str) -> None:
        x, y = await self.until(PLACE.replace("NAME", json.dumps(name)))
        move = {"type": "pointerMove", "x": x, "y": y}
        await self._act("pointer", move, {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0})

    async def key(self, value: str) -> None:
        await self._act("key", {"type": "keyDown", "value": value}, {"type": "keyUp", "value": value})

    async def _act(self, kind: str, *actions: dict[str, Any]) -> None:
        source = {"type": kind, "id": kind, "actions": list(actions)}
        await self.browser.command("input.performActions", context=self.context, actions=[source])

    async def reload(self) -> None:
        """Past the question whether the page, in which a call is on, shall be left."""
        await self.browser.command("browsingContext.reload", context=self.context, wait="complete")

    async def sees(self, text: str) -> None:
        await self.until(f"document.body.innerText.includes({json.dumps(text)})")

    async def hears(self, hz: int) -> None:
        heard: list[Any] = []
        for _ in range(15):
            heard.append(await self.run(f"({HEAR})()"))
            if abs(heard[-1]["hz"] - hz) < 8 and heard[-1]["share"] > 0.7 and heard[-1]["level"] > -50:
                return
        raise AssertionError(f"{hz} Hz wanted, heard {heard}")

    async def axe_finds_nothing(self) -> None:
        if not await self.run("'axe' in window"):
            await self.run(f"void (() => {{ {AXE.read_text()} }})()")
        found = await self.run(f"axe.run({{ runOnly: {json.dumps(RULES)} }})")
        assert len(found["passes"]) > 10
        assert [(wrong["id"], wrong["nodes"][0]["html"]) for wrong in found["violations"]] == []


async def test_a_person_with_firefox(ejabberd: Ejabberd, handset: HandsetFactory, tmp_path: Path) -> None:
    bridge = BridgeProcess(tmp_path / "bridge", ejabberd)
    (tmp_path / "firefox").mkdir()
    alice = handset(ejabberd, unique_user("alice"), "--tone", str(TONE))
    name, user = alice.user, unique_user("wanda")

    async def hears(condition: Any) -> None:
        await asyncio.to_thread(alice.until, condition)

    try:
        async with firefox(f"{bridge.url}/healthz", tmp_path / "firefox") as browser:
            page = await FirefoxPerson.open(browser, bridge.url)
            await page.sees("Prove your address")
            page = await FirefoxPerson.open(browser, bridge.link(user, alice.jid, name="Wanda"))
            await page.sees("Wanda")
            await page.sees("Online")
            await page.axe_finds_nothing()

            await page.press(f"Call {name}")
            await page.until("document.getElementById('call-state').textContent === 'Connected'")
            await page.hears(TONE)
            await hears(lambda r: r["heard"]["hz"] and abs(r["heard"]["hz"] - FIREFOX_HZ) < 8 and not r["heard"]["silence"])
            await page.sees("connection, direct:")
            await page.press("Mute")
            await hears(lambda r: r["heard"]["silence"] and r["call"]["muted_by_peer"])
            await page.sees("You are muted: nobody hears what you say.")  # the fake microphone never stops
            await page.key(" ")  # the focus has stayed on the button
            await hears(lambda r: not r["heard"]["silence"])
            await page.axe_finds_nothing()
            await page.press("Hang up")
            await asyncio.to_thread(alice.wait, "ended")
            await page.sees(f"Call with {name} ended.")
            await page.press("Close")

            await asyncio.to_thread(lambda: alice.send("call", to=bridge.jid(user), media=["audio", "video"]))
            assert await page.until("document.getElementById('incoming').open && document.title") == f"{name} is calling"
            await page.axe_finds_nothing()
            await page.press("Accept with video")
            await page.until("document.getElementById('call-state').textContent === 'Connected'")
            assert await page.run(FRAMES) > 0
            await page.hears(TONE)
            await hears(lambda r: r["video"]["frames"] > 5)
            await asyncio.to_thread(alice.send, "hangup")
            await page.sees(f"Call with {name} ended.")

            await page.press("Call again")
            await page.until("document.getElementById('call-state').textContent === 'Connected'")
            await page.hears(TONE)
            assert await page.run("faults") == []
            await page.reload()
            await page.sees(f"The page was loaded anew, so the call with {name} ended.")
            await asyncio.to_thread(alice.wait, "ended")
            await page.run(LISTEN)
            await page.key("\ue00c")  # Escape
            assert await page.until("document.activeElement.id") == "contacts-title"

            await page.press("Settings")
            await page.run("(document.getElementById('language').value = 'de', document.getElementById('language').onchange())")
            await page.sees("Einstellungen")
            await page.press("Fertig")
            await page.until(PLACE.replace("NAME", json.dumps(f"{name} anrufen")))
            assert await page.run("[document.documentElement.lang, faults]") == ["de", []]
            assert alice.report()["violations"] == []
    finally:
        bridge.close()


async def test_a_guest_with_firefox(ejabberd: Ejabberd, handset: HandsetFactory, tmp_path: Path) -> None:
    """By the link alone; after a reload in the call, one press calls again."""
    bridge = BridgeProcess(tmp_path / "bridge", ejabberd, policy={"guests_without_turn": True, "guests_relay_only": False})
    (tmp_path / "firefox").mkdir()
    alice = handset(ejabberd, unique_user("alice"), "--tone", str(TONE))
    try:
        url = bridge.command("link", "create", alice.jid, "--label", "Shop").stdout.split()[-1]
        async with firefox(f"{bridge.url}/healthz", tmp_path / "firefox") as browser:
            page = await FirefoxPerson.open(browser, url)
            await page.sees(f"Call {alice.user}")
            await page.axe_finds_nothing()
            await page.press("Call")
            await page.sees("Type your name first")
            for letter in "Anna":  # the focus is in the field
                await page.key(letter)
            await page.key("\ue007")  # Enter
            await page.until("document.getElementById('call-state').textContent === 'Connected'")
            await page.hears(TONE)
            assert await page.run("faults") == []
            await page.reload()
            await page.until("document.getElementById('result-text')?.textContent")
            await page.sees(f"The page was loaded anew, so the call with {alice.user} ended.")
            await asyncio.to_thread(alice.wait, "ended")
            await page.press("Call again")
            await page.until("document.getElementById('call-state').textContent === 'Connected'")
            await page.hears(TONE)
            await page.press("Hang up")
            await page.sees(f"Call with {alice.user} ended.")
    finally:
        bridge.close()


async def test_mishaps_with_firefox(ejabberd: Ejabberd, handset: HandsetFactory, tmp_path: Path) -> None:
    """The network is gone for a moment, then for longer than a session lasts; the browser allows no microphone."""
    bridge = BridgeProcess(tmp_path / "bridge", ejabberd, start=False)
    box = Middlebox(bridge.port, "pass")
    bridge.write_config(web={"public_url": box.url}, limits={"resume": 6.0, "linger": 3.0})
    alice = handset(ejabberd, unique_user("alice"), "--tone", str(TONE))
    user, talking = unique_user("wanda"), "document.getElementById('call-state').textContent === 'Connected'"
    for name in ("firefox", "refusing"):
        (tmp_path / name).mkdir()
    try:
        bridge.start()
        async with firefox(f"{box.url}/healthz", tmp_path / "firefox") as browser:
            page = await FirefoxPerson.open(browser, f"{box.url}/#token={bridge.token(user, alice.jid)}")
            await page.press(f"Call {alice.user}")
            await page.until(talking)
            await page.hears(TONE)
            box.cut()
            await page.sees("Connection lost. Reconnecting… Your call goes on meanwhile.")
            await page.sees("Not known right now")
            await page.hears(TONE)
            await page.press("Mute")
            box.mend()
            await asyncio.to_thread(alice.until, lambda r: r["heard"]["silence"] and r["call"]["muted_by_peer"])
            await page.sees("Online")
            await page.press("Unmute")
            await page.hears(TONE)
            box.cut()
            await asyncio.to_thread(alice.wait, "ended")
            box.mend()
            await page.sees(f"The call was lost: {alice.user} or the connection has gone away.")
            await page.press("Call again")
            await page.until(talking)
            await page.hears(TONE)
            await page.press("Hang up")
            await asyncio.to_thread(alice.wait, "ended")
            assert await page.run("faults") == []
        refusing = {"media.navigator.permission.disabled": False, "permissions.default.microphone": 2}
        async with firefox(f"{box.url}/healthz", tmp_path / "refusing", preferences=refusing) as browser:
            page = await FirefoxPerson.open(browser, f"{box.url}/#token={bridge.token(user, alice.jid)}")
            await page.press(f"Call {alice.user}")
            await page.sees("The browser does not let this page use your microphone")
            assert bridge.calls() == [] and await page.run("faults") == []
            assert alice.report()["violations"] == []
    finally:
        bridge.close()
        box.close()
