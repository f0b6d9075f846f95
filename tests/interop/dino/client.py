"""Dino itself, and the person in front of it, who presses what is on the screen."""

from __future__ import annotations

import sqlite3
import subprocess
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from signal import SIGKILL
from typing import Any

from jinglebridge.demo.lab import Ejabberd, LabError, Prosody, end_process

from ..bridge import wait_for
from . import judge
from .desktop import RATE, Desktop, Json, require
from .namespace import seeing

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
RESOURCE = "dino"
STATES = ("ringing", "establishing", "in-progress", "other-device", "ended", "declined", "missed", "failed")  # of Dino's database

# Where Dino 0.4.2 draws things, in pixels; x from the right edge of its main window, or from the middle of a call window.
PHONE = (-222, 27)
MENU = {"audio": 43, "video": 75}  # entries of the phone's menu, below it
ADD_CHAT = {"add a contact": (109, 509)}  # in the dialog "Start Conversation"
ADD_CONTACT = {"JID": (190, 130), "Add": (275, 27)}  # in the dialog "Add Contact"
BUTTONS = {"microphone": (-71, -53), "hang up": (69, -53)}  # y from the bottom edge


class Dino:
    """One account in one Dino. Raises LabError when it cannot be started, AssertionError when something does not happen."""

    def __init__(self, desktop: Desktop, server: Ejabberd | Prosody, user: str) -> None:
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
        self._log_in()

    def _log_in(self) -> None:
        since = self.mark()
        self._launch()
        wait_for(f"Dino is connected; see {self.log_file}", lambda: self.online(since), 60)

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
        replaced = {system: file for system, file in files.items() if Path(system).exists()}
        # The network is up, whatever the system's network manager says of the one outside.
        settings = ["G_MESSAGES_DEBUG=libdino ice rtp", "PULSE_LATENCY_MSEC=20", "GIO_USE_NETWORK_MONITOR=base"]
        self.process = self.desktop.spawn("dino", *seeing(replaced, ["env", *settings, "dino-im", "--print-xmpp=no-ansi;all"]))

    def _up(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise LabError(f"Dino ended: {self.log_file.read_text()[-2000:]}")
        return self._database.exists() and bool(self.desktop.windows("Dino"))

    def online(self, since: int) -> bool:
        """Since then its own presence came back to it: it is logged in, and the server has taken note."""
        return self._up() and any(d == "IN" and s.tag.endswith("presence") and s.get("from") == self.full for d, s in self.stanzas(since))

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

    def conversation(self, since: int) -> list[str]:
        """What was said of calls since then, as "OUT propose", "IN session-terminate success", …; without transport-info."""
        return [word for direction, stanza in self.stanzas(since) for word in judge.call_words(direction, stanza)]

    def says(self, words: str, since: int) -> None:
        """Wait for one of these `conversation` words."""
        wait_for(f"{words}; there was {self.conversation(since)}", lambda: words in self.conversation(since))

    def account(self) -> str:
        """Of itself and its desktop, for who looks into a failure: windows, sound streams, the microphone, the end of the log."""
        windows = {w: self.desktop.run("xdotool", "getwindowname", str(w), check=False).strip() for w in self.desktop.windows(".")}
        streams = [self.desktop.run("pactl", "list", "short", kind, check=False) for kind in ("sink-inputs", "source-outputs")]
        microphone = judge.heard(self.desktop.listen(source="microphone"), RATE)
        log = self.log_file.read_bytes()[-12000:].decode(errors="replace")
        return f"windows: {windows}\nstreams: {streams}\nmicrophone: {microphone}\nlog: …{log}"

    # --- what it does to ears and eyes

    def hears_tone(self, hz: int, *, tries: int = 15) -> None:
        """The loudspeaker plays this tone, and little else."""
        self._hears(f"{hz} Hz", lambda heard: heard.is_tone(hz), tries)

    def hears_silence(self, *, tries: int = 12) -> None:
        self._hears("silence", judge.Heard.is_silence, tries)

    def _hears(self, what: str, good: Callable[[judge.Heard], bool], tries: int) -> None:
        heard: list[judge.Heard] = []
        for _ in range(tries):
            heard.append(judge.heard(self.desktop.listen(), RATE))
            if good(heard[-1]):
                return
        raise AssertionError(f"{what} wanted, Dino plays {heard}")

    def shows(self, colours: tuple[judge.Colour, judge.Colour]) -> None:
        """The picture in the call window is one colour, then the other, then the first again: it moves on."""
        for colour in (*colours, colours[0]):
            wait_for(f"Dino shows {colour}", lambda colour=colour: self._share(colour) > 0.5, 30)

    def shows_no_picture(self, colours: tuple[judge.Colour, judge.Colour]) -> None:
        wait_for("Dino shows no picture", lambda: max(map(self._share, colours)) < 0.1)

    def _share(self, colour: judge.Colour) -> float:
        """How much of the call window has this colour."""
        left, top, width, height = self.window()
        return judge.share_of(colour, self.desktop.screen()[top : top + height, left : left + width])

    # --- what the person does

    def befriends(self, jid: str) -> None:
        """Lets `jid` see when it is online, when asked; and so asks to see the other."""
        asked = self.desktop.notified(lambda n: n.get("body") == jid and "deny" in n["actions"])
        self.desktop.press(asked, "accept")

    def adds(self, jid: str) -> None:
        """Adds a contact by its address, in the dialog for that."""
        main = min(self.desktop.windows("Dino"))
        left, top, _, height = self.desktop.geometry(main)
        self.desktop.click(left + 200, top + height - 60)
        chat = self._dialog("ctrl+t")
        since = self.mark()
        contact = self._dialog(ADD_CHAT["add a contact"], chat)
        left, top, _, _ = self.desktop.geometry(contact)
        self.desktop.click(left + ADD_CONTACT["JID"][0], top + ADD_CONTACT["JID"][1])
        self.desktop.run("xdotool", "type", jid)
        asked = lambda: any(d == "OUT" and s.get("type") == "subscribe" and s.get("to") == jid for d, s in self.stanzas(since))  # noqa: E731
        self._clicked_until((left + ADD_CONTACT["Add"][0], top + ADD_CONTACT["Add"][1]), asked)
        self.desktop.run("xdotool", "windowfocus", str(chat), "key", "Escape")
        wait_for("Dino's dialog closes", lambda: chat not in self.desktop.windows("."))

    def _dialog(self, how: str | tuple[int, int], parent: int = 0) -> int:
        """The window that a key, or a click at a place of the window `parent`, opens."""
        before = set(self.desktop.windows("."))
        if isinstance(how, str):
            self.desktop.run("xdotool", "key", how)
        else:
            left, top, _, _ = self.desktop.geometry(parent)
            wait_for("the dialog can be pressed", lambda: self._drawn(left + how[0], top + how[1]))
            self.desktop.click(left + how[0], top + how[1])
        return max(wait_for("Dino opens a dialog", lambda: set(self.desktop.windows(".")) - before))

    def presences(self, jid: str, since: int) -> list[str]:
        """How the sessions of `jid` looked since then: available, away, dnd, unavailable, …"""
        got = [s for d, s in self.stanzas(since) if d == "IN" and s.tag.endswith("presence") and s.get("from", "").startswith(jid + "/")]
        return [s.get("type") or next((e.text.strip() for e in s if e.tag.endswith("}show") and e.text), "available") for s in got]

    def has_picture(self, hash: str) -> bool:
        return (self._database.parent / "avatars" / hash).exists()

    def writes(self, to: str, line: str) -> str:
        """A line in the chat with `to`; what comes back."""
        since = self.mark()
        self.desktop.run("gapplication", "launch", "im.dino.Dino", f"xmpp:{to}?message")
        for _ in range(5):  # what is just being shown takes no key
            self.desktop.run("xdotool", "sleep", "0.5", "type", "--delay", "25", line)
            self.desktop.run("xdotool", "key", "Return")
            end = time.monotonic() + 3
            while time.monotonic() < end:
                if self.chat("OUT", to, since):
                    assert self.chat("OUT", to, since) == [line]
                    return str(wait_for(f"{to} answers {line!r}", lambda: self.chat("IN", to, since))[0])
                time.sleep(0.05)
        raise AssertionError(f"Dino did not send {line!r}")

    def chat(self, direction: str, other: str, since: int) -> list[str]:
        """What was written ("OUT") to an address, or came ("IN") from it, since then."""
        end = "to" if direction == "OUT" else "from"
        found = (s for d, s in self.stanzas(since) if d == direction and s.get(end, "").partition("/")[0] == other)
        return [text for s in found for child in s if child.tag.endswith("}body") and (text := judge.printed_text(child.text or ""))]

    def rings(self, jid: str, *, video: bool, begins: bool = False) -> Json:
        """Wait for the ringing; the notification with its buttons. `begins`: `jid` is how the address begins."""
        self._old_windows = set(self.desktop.windows("Dino"))
        title = (lambda n: n.get("title", "").startswith(jid)) if begins else (lambda n: n.get("title") == jid)
        ring = self.desktop.notified(lambda n: title(n) and "reject" in n["actions"])
        assert ring["body"] == ("Incoming video call" if video else "Incoming call"), ring
        return ring

    def accepts(self, ring: Json) -> None:
        self.desktop.press(ring, "accept")
        self._resizes()

    def rejects(self, ring: Json) -> None:
        self.desktop.press(ring, "reject")

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
        menu = self._clicked_until((x, y), self._new_windows)
        entry = (x, y + MENU["video" if video else "audio"])
        self._clicked_until(entry, lambda: not menu & set(self.desktop.windows("Dino")))
        self._old_windows |= menu
        self._resizes()

    def _resizes(self) -> None:
        """A person makes the call window a little larger, before there is a picture.

        Dino 0.4.2 fits a window that nobody resized to the picture, and does so from GStreamer's thread, which GTK does not bear: in one
        of three calls the window was then painted no more, in none that were resized (`resolution_changed`, call_window_controller.vala).
        """
        self.window()
        window = max(self._new_windows())
        self.desktop.run("xdotool", "windowsize", "--sync", str(window), "740", "560")

    def _new_windows(self) -> set[int]:
        return set(self.desktop.windows("Dino")) - self._old_windows

    def _clicked_until(self, place: tuple[int, int], condition: Callable[[], Any]) -> Any:
        """Clicks there until something comes of it: what is just being shown takes no click."""
        for _ in range(5):
            self.desktop.click(*place)
            end = time.monotonic() + 3
            while time.monotonic() < end:
                value = condition()
                if value:
                    return value
                time.sleep(0.05)
        raise AssertionError(f"clicks at {place} do nothing")

    def _drawn(self, x: int, y: int) -> bool:
        """Something black is there, as text and icons are that can be pressed."""
        return bool(self.desktop.screen()[y - 8 : y + 8, x - 8 : x + 8].max(axis=2).min() < 100)

    def closes_the_window(self) -> None:
        """The window of the last call goes away, at once or after its last words."""
        wait_for("Dino closes the call window", lambda: not self._new_windows(), 40)

    def settles(self) -> None:
        """Nothing is open but its main window. What a failed test left there, and does not go away, goes with Dino: it is started again."""
        assert self.process is not None
        try:
            wait_for("Dino closes its windows", lambda: len(self.desktop.windows("Dino")) < 2)
        except AssertionError:
            end_process(self.process, SIGKILL)
            self._log_in()

    def window(self) -> tuple[int, int, int, int]:
        """Wait for the window of the newest call; (left, top, width, height)."""
        place: tuple[int, int, int, int] = wait_for("Dino shows a call window", self._place_of_newest)
        return place

    def _place_of_newest(self) -> tuple[int, int, int, int] | None:
        new = self._new_windows()
        try:
            return self.desktop.geometry(max(new)) if new else None
        except AssertionError:
            return None  # it went away meanwhile: that of the call before

    def presses(self, button: str, says: str, since: int) -> None:
        """A button of the call window, after the mouse made it visible; until Dino says so to the other side."""
        left, top, width, height = self.window()
        x, y = left + width // 2 + BUTTONS[button][0], top + height + BUTTONS[button][1]
        self.desktop.run("xdotool", "mousemove", str(x), str(y - 60), "sleep", "0.4")
        said = self.conversation(since).count(says)
        self._clicked_until((x, y), lambda: self.conversation(since).count(says) > said)
