"""Dino itself, and the person in front of it, who presses what is on the screen."""

from __future__ import annotations

import sqlite3
import subprocess
import xml.etree.ElementTree as ET
from contextlib import closing
from pathlib import Path
from typing import Any

from jinglebridge.demo.lab import Ejabberd, LabError

from ..bridge import wait_for
from . import judge
from .desktop import Desktop, Json, require
from .namespace import seeing

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
RESOURCE = "dino"
STATES = ("ringing", "establishing", "in-progress", "other-device", "ended", "declined", "missed", "failed")  # of Dino's database

# Where Dino 0.4.2 draws things, in pixels; x from the right edge of its main window, or from the middle of a call window.
PHONE = (-222, 27)
MENU = {"audio": 43, "video": 75}  # entries of the phone's menu, below it
BUTTONS = {"microphone": (-71, -53), "hang up": (69, -53)}  # y from the bottom edge


class Dino:
    """One account in one Dino. Raises LabError when it cannot be started, AssertionError when something does not happen."""

    def __init__(self, desktop: Desktop, server: Ejabberd, user: str) -> None:
        self.desktop, self.server = desktop, server
        self.name = user
        self.jid = f"{user}@{server.domain}"
        self.full = f"{self.jid}/{RESOURCE}"
        self.process: subprocess.Popen[Any] | None = None
        self.log_file = desktop.folder / "log/dino.log"
        self._database = desktop.folder / "home/.local/share/dino/dino.db"
        self._old_windows: set[int] = set()

    def start(self) -> None:
        """Twice: the first one makes the database that the account is put into. Dino has no command line for that."""
        require({"dino-im": "dino-im"})
        if not Path(BUNDLE).exists():
            raise LabError("ca-certificates: is not installed: apt install ca-certificates")
        password = self.server.register(self.name)
        self._launch()
        wait_for("Dino made its database", self._up, 60)
        assert self.process is not None
        self.desktop.run("gapplication", "action", "im.dino.Dino", "quit")
        self.process.wait(20)
        with closing(sqlite3.connect(self._database)) as db, db:
            columns = "bare_jid, resourcepart, password, alias, enabled"
            db.execute(f"insert into account({columns}) values(?, ?, ?, '', 1)", (self.jid, RESOURCE, password))
        self._launch()
        wait_for(f"Dino is connected; see {self.log_file}", self._online, 60)

    def _launch(self) -> None:
        folder = self.desktop.folder
        texts = {
            "/etc/hosts": f"127.0.0.1 localhost {self.server.domain}\n",
            "/etc/resolv.conf": "nameserver 127.0.0.1\n",  # where nobody listens: an answer at once
            BUNDLE: Path(BUNDLE).read_text() + (self.server.folder / "crt.pem").read_text(),
        }
        files = {system: folder / Path(system).name for system in texts}
        for system, file in files.items():
            file.write_text(texts[system])
        # The network is up, whatever the system's network manager says of the one outside.
        settings = ["G_MESSAGES_DEBUG=libdino ice rtp", "PULSE_LATENCY_MSEC=20", "GIO_USE_NETWORK_MONITOR=base"]
        command = ["env", *settings, "dino-im", "--print-xmpp=no-ansi;all"]
        self.process = self.desktop.spawn("dino", *seeing({system: file for system, file in files.items() if Path(system).exists()}, command))

    def _up(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise LabError(f"Dino ended: {self.log_file.read_text()[-2000:]}")
        return self._database.exists() and bool(self.desktop.windows("Dino"))

    def _online(self) -> bool:
        return self._up() and self.full in self.server.api("connected_users")

    # --- what it knows

    def stanzas(self, since: int = 0) -> list[tuple[str, ET.Element]]:
        """Stanzas that it sent ("OUT") and got ("IN"), from an earlier `mark` on."""
        return judge.printed_stanzas(self.log_file.read_bytes()[since:].decode(errors="replace"))

    def mark(self) -> int:
        return self.log_file.stat().st_size

    def last_call(self) -> str:
        """State of the newest call with anybody, one of STATES."""
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as db:
            row = db.execute("select state from call order by id desc limit 1").fetchone()
        return STATES[row[0]] if row else ""

    def call_becomes(self, state: str) -> None:
        wait_for(f"Dino's call is {state}", lambda: self.last_call() == state)

    # --- what the person does

    def befriends(self, jid: str) -> None:
        """Lets `jid` see when it is online, when asked; and so asks to see the other."""
        asked = self.desktop.notified(lambda n: n.get("body") == jid and "deny" in n["actions"])
        self.desktop.press(asked, "accept")

    def rings(self, jid: str, *, video: bool) -> Json:
        """Wait for the ringing; the notification with its buttons."""
        self._old_windows = set(self.desktop.windows("Dino"))
        ring = self.desktop.notified(lambda n: n.get("title") == jid and "reject" in n["actions"])
        assert ring["body"] == ("Incoming video call" if video else "Incoming call"), ring
        return ring

    def answers(self, ring: Json, action: str) -> None:
        self.desktop.press(ring, action)

    def rings_no_more(self, ring: Json) -> None:
        self.desktop.notified(lambda n: n.get("closed") == ring["shown"])

    def calls(self, jid: str, *, video: bool) -> None:
        """Presses the call button, which is there only for whom Dino believes able to take calls."""
        self._old_windows = set(self.desktop.windows("Dino"))
        main = min(self._old_windows)
        self.desktop.run("gapplication", "launch", "im.dino.Dino", f"xmpp:{jid}?message")
        left, top, width, _ = self.desktop.geometry(main)
        x, y = left + width + PHONE[0], top + PHONE[1]
        wait_for(f"Dino shows a call button for {jid}", lambda: self._drawn(x, y))
        self.desktop.click(x, y)
        menu = wait_for("Dino shows the menu of the call button", lambda: set(self.desktop.windows("Dino")) - self._old_windows)
        for _ in range(10):  # a menu that is just being shown takes no click
            if not menu & set(self.desktop.windows("Dino")):
                break
            self.desktop.click(x, y + MENU["video" if video else "audio"])
        self._old_windows |= menu
        self.window()

    def _drawn(self, x: int, y: int) -> bool:
        """Something black is there, as text and icons are that can be pressed."""
        return bool(self.desktop.screen()[y - 8 : y + 8, x - 8 : x + 8].max(axis=2).min() < 100)

    def window(self) -> tuple[int, int, int, int]:
        """Wait for the window of the newest call; (left, top, width, height)."""
        new = wait_for("Dino shows a call window", lambda: set(self.desktop.windows("Dino")) - self._old_windows)
        return self.desktop.geometry(max(new))

    def presses(self, button: str) -> None:
        """A button of the call window, after the mouse made it visible."""
        left, top, width, height = self.window()
        x, y = left + width // 2 + BUTTONS[button][0], top + height + BUTTONS[button][1]
        self.desktop.run("xdotool", "mousemove", str(x), str(y - 60), "sleep", "0.4")
        self.desktop.click(x, y)
