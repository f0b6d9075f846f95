"""Takes the pictures of the documentation from a real call: ejabberd, the bridge, a contact, headless Chromium.

    .venv/bin/python scripts/screenshots.py                  docs/images/*.png
    .venv/bin/python scripts/screenshots.py --record         also an audio call: its frames and stanzas, for docs/topics/one-call.md
    .venv/bin/python scripts/screenshots.py --no-pictures --record

Needs what `scripts/test` installs. Everything runs on loopback and is ended by the process id it was started with.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import WebSocket, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from jinglebridge.demo.handset import Handset  # noqa: E402
from jinglebridge.demo.lab import Ejabberd  # noqa: E402
from tests.interop.bridge import BridgeProcess  # noqa: E402
from tests.interop.browser import Person, person  # noqa: E402

IMAGES = ROOT / "docs" / "images"
RECORD = ROOT / "docs" / "topics" / "one-call.jsonl"
SECRET = frozenset({"token", "resume", "credential"})  # JSON keys that are not recorded
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
CONTACTS = ("echo", "bob", "carol")  # echo@ is called; the others fill the list


class Studio:
    """One open page and the contact it talks to."""

    def __init__(self, bridge: BridgeProcess, page: Person, contacts: list[Handset]) -> None:
        self.bridge, self.page, self.echo = bridge, page, contacts[0]
        self.frames: list[dict[str, Any]] = []
        page.page.on("websocket", self._listen)
        page.page.set_viewport_size(DESK)  # type: ignore[arg-type]
        page.open(bridge.link("alice", *(c.jid for c in contacts), name="Alice"))
        for contact in contacts:
            contact.until(self._sees_page)
        page.offers("Video call echo")

    def _sees_page(self, report: dict[str, dict[str, dict[str, object]]]) -> bool:
        return any(full.startswith(self.bridge.jid("alice")) and peer["features"] for full, peer in report["peers"].items())

    def shoot(self, name: str) -> None:
        self.page.page.wait_for_timeout(600)  # let the animations end
        self.page.page.screenshot(path=str(IMAGES / f"{name}.png"))

    def pictures(self) -> None:
        """Also `python -m pytest tests/unit/client/test_page_views.py`, which walks through all views, in each look."""
        tab = self.page.page
        self.shoot("home")
        self.page.press("Settings")
        self.shoot("settings")
        self.page.press("Done")
        self.page.press("Video call echo")
        self._connected(video=True)
        self.shoot("call")
        tab.set_viewport_size(PHONE)  # type: ignore[arg-type]
        self.shoot("phone")
        tab.set_viewport_size(DESK)  # type: ignore[arg-type]
        self._hang_up()
        self.page.press("Close")
        self._rings("incoming")
        tab.set_viewport_size(PHONE)  # type: ignore[arg-type]
        tab.emulate_media(color_scheme="dark")
        self._rings("phone-incoming-dark")
        self.shoot("phone-home-dark")
        tab.set_viewport_size(DESK)  # type: ignore[arg-type]
        tab.evaluate("localStorage.setItem('jinglebridge.settings', JSON.stringify({ language: 'de' }))")
        tab.reload()
        self.page.sees("Kontakte")
        self.page.offers("echo anrufen")
        self.shoot("home-dark-german")
        tab.evaluate("localStorage.clear()")
        self._strangers()

    def _rings(self, name: str) -> None:
        """The contact calls; the page says no."""
        self.echo.send("call", to=self.bridge.jid("alice"), media=["audio", "video"])
        self.page.offers("Accept with video")
        self.shoot(name)
        self.page.press("Decline")
        self.echo.wait("ended")
        self.page.press("Close")

    def _strangers(self) -> None:
        """What somebody sees who has no address here: a guest, and who signs in."""
        tab = self.page.page
        tab.emulate_media(color_scheme="light")
        tab.goto(self.bridge.command("link", "create", self.echo.jid, "--label", "Shop").stdout.split()[-1])
        self.page.sees("Call echo")
        self.page.page.get_by_label("Your name").fill("Anna")
        self.shoot("guest")
        tab.set_viewport_size(PHONE)  # type: ignore[arg-type]
        self.shoot("phone-guest")
        tab.set_viewport_size(DESK)  # type: ignore[arg-type]
        tab.goto(f"{self.bridge.url}/healthz")
        tab.evaluate("sessionStorage.clear()")  # the page of Alice is over
        tab.goto(self.bridge.url)
        self.page.sees("Prove your address")
        self.shoot("sign-in")

    def record(self, file: Path) -> None:
        """An audio call from the page, hung up by the page: the page's frames, then the stanzas as the contact saw them."""
        hello = [f for f in self.frames if f["frame"]["type"] in ("hello", "welcome")][:2]
        self.echo.send("reset")
        self.frames.clear()
        self.page.press("Call echo")
        self._connected(video=False)
        self._hang_up()
        self.page.page.wait_for_timeout(1000)  # the contact's <finish/>
        report = self.echo.report()
        if report["violations"]:
            raise SystemExit(f"the contact blames: {report['violations']}")
        stanzas = [{"dir": line["dir"], "what": line["what"], "xml": line["xml"]} for line in report["log"]]
        file.write_text("".join(json.dumps(line) + "\n" for line in [*hello, *self.frames, *stanzas]))

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framesent", lambda data: self._frame("page", data))
        socket.on("framereceived", lambda data: self._frame("bridge", data))

    def _frame(self, sender: str, data: str | bytes) -> None:
        self.frames.append({"from": sender, "frame": without_secrets(json.loads(data))})

    def _connected(self, *, video: bool) -> None:
        self.page.connected()
        self.page.plays(video=video)
        self.page.media_grows(video=video)

    def _hang_up(self) -> None:
        self.page.press("Hang up")
        self.echo.wait("ended")
        self.page.sees("Call with echo ended")


def without_secrets(value: Any) -> Any:
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    if isinstance(value, dict):
        return {k: "…" if k in SECRET and isinstance(v, str) else without_secrets(v) for k, v in value.items()}
    return value


def with_studio(job: Callable[[Studio], None]) -> None:
    with tempfile.TemporaryDirectory(prefix="jb-") as folder, Ejabberd(Path(folder) / "ejabberd", shaper="none") as server:
        bridge = BridgeProcess(Path(folder) / "bridge", server)
        contacts: list[Handset] = []
        try:
            contacts.extend(Handset(server, name, "--auto", "accept", "--tone", "440") for name in CONTACTS)
            with sync_playwright() as playwright, person(playwright, Path(folder), 660) as page:
                job(Studio(bridge, page, contacts))
        finally:
            for contact in contacts:
                contact.close()
            bridge.close()


def main() -> int:
    parser = argparse.ArgumentParser(description="Take the pictures of the documentation.")
    parser.add_argument("--no-pictures", action="store_true")
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()

    def job(studio: Studio) -> None:
        if not args.no_pictures:
            IMAGES.mkdir(parents=True, exist_ok=True)
            studio.pictures()
        if args.record:
            RECORD.parent.mkdir(parents=True, exist_ok=True)
            studio.record(RECORD)

    with_studio(job)
    return 0


if __name__ == "__main__":
    sys.exit(main())
