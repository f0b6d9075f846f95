"""The real poezio (Debian package `poezio`), a console client, in a terminal of its own: what it shows is read, keys are pressed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from jinglebridge.demo.lab import Ejabberd, LabError, end_process

PACE = 0.3  # seconds
NEXT_TAB = "\x0e"  # Ctrl-N
REDRAW = "\x0c"  # Ctrl-L
TAB, ENTER = "\t", "\r"
# Sequences that move the cursor or colour the text. What remains is the text in the order in which it was drawn.
CONTROL = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|[()][A-Z0-9]|[=>78M]|\][^\x07]*\x07)|[\x00-\x09\x0b-\x1f]")

CONFIG = """[Poezio]
jid = {jid}
password = {password}
custom_host = {host}
custom_port = {port}
ca_cert_path = {ca}
enable_carbons = true
log_errors = false
use_log = false
save_status = false
autorejoin = false
send_chat_states = false
rooms =
"""


class Poezio:
    """Logged in as `user`, whose account is made. `screen` is all text that was drawn until now."""

    def __init__(self, server: Ejabberd, user: str, folder: Path) -> None:
        program = shutil.which("poezio")
        if program is None:
            raise LabError("poezio is not installed: install the Debian package")
        password = server.register(user)
        folder.mkdir(parents=True, exist_ok=True)
        self.jid = f"{user}@{server.domain}"
        about = {"jid": self.jid, "password": password, "host": server.host, "port": server.c2s, "ca": server.folder / "crt.pem"}
        (folder / "poezio.cfg").write_text(CONFIG.format(**about))
        self.screen = ""
        self._terminal, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
        homes = {name: str(folder) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")}
        environment = {"PATH": "/usr/bin:/bin", "TERM": "xterm-256color", "LANG": "C.UTF-8", "ESCDELAY": "25", **homes}
        # It refuses to run as root; in a user namespace it is nobody, with root's files.
        command = [*(["unshare", "-U"] if os.getuid() == 0 else []), program, "-f", str(folder / "poezio.cfg")]
        self.process = subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, env=environment, start_new_session=True)
        os.close(inner)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        end_process(self.process, signal.SIGKILL)
        os.close(self._terminal)

    def press(self, keys: str) -> None:
        """At the pace of a person: keys that come together are taken for pasted text."""
        time.sleep(PACE)
        os.write(self._terminal, keys.encode())

    def answer_request(self, id: str, *, yes: bool) -> None:
        """Go to the tab that asks to verify an HTTP request with this transaction id, and choose."""
        self.sees("HTTP Verif")
        for _ in range(8):
            self.press(NEXT_TAB)
            self.press(REDRAW)  # curses draws only what differs from before
            with contextlib.suppress(AssertionError):
                self.sees(f"transaction id is: {id}", 2)
                if yes:
                    self.press(TAB)
                self.press(ENTER)
                return
        raise AssertionError(f"poezio has no request {id}:\n{self.screen[-3000:]}")

    def sees(self, text: str, patience: float = 20.0) -> re.Match[str]:
        """Wait until this (a regular expression) was drawn after what was seen last."""
        end = time.monotonic() + patience
        while True:
            found = re.search(text, self.screen)
            if found is not None:
                self.screen = self.screen[found.end() :]
                return found
            left = end - time.monotonic()
            assert left > 0, f"poezio did not show {text!r} within {patience} s, but:\n{self.screen[-3000:]}"
            if select.select([self._terminal], [], [], left)[0]:
                with contextlib.suppress(OSError):  # it has ended
                    self.screen += CONTROL.sub("", os.read(self._terminal, 65536).decode(errors="replace"))
