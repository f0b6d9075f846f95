"""Dino itself: account, calls, what it shows, hears and remembers."""

from __future__ import annotations

import sqlite3
import subprocess
from pathlib import Path
from typing import Any

from jinglebridge.demo.lab import Ejabberd, LabError

from ..bridge import wait_for
from .desktop import Desktop, require
from .namespace import seeing

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


class Dino:
    def __init__(self, desktop: Desktop, server: Ejabberd, user: str) -> None:
        self.desktop, self.server = desktop, server
        self.jid = f"{user}@{server.domain}"
        self.password = server.register(user)
        self.process: subprocess.Popen[Any] | None = None
        self.database = desktop.folder / "home/.local/share/dino/dino.db"

    def start(self) -> None:
        require({"dino-im": "dino-im"})
        self._launch()
        wait_for("Dino made its database", self._has_schema)
        self._quit()
        with sqlite3.connect(self.database) as db:
            db.execute(
                "insert into account(bare_jid, resourcepart, password, alias, enabled) values(?, 'dino', ?, '', 1)", (self.jid, self.password)
            )
        db.close()
        self._launch()
        wait_for("Dino is connected", self.online, 60)

    def online(self) -> bool:
        return any(jid.startswith(self.jid) for jid in self.server.api("connected_users"))

    def _launch(self) -> None:
        folder = self.desktop.folder
        ours = {"/etc/hosts": "hosts", "/etc/resolv.conf": "resolv.conf", BUNDLE: "bundle.crt"}
        (folder / "hosts").write_text(f"127.0.0.1 localhost {self.server.domain}\n")
        (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")  # where nobody listens: an answer at once
        (folder / "bundle.crt").write_text(Path(BUNDLE).read_text() + (self.server.folder / "crt.pem").read_text())
        command = ["env", "G_MESSAGES_DEBUG=all", "PULSE_LATENCY_MSEC=20", "GIO_USE_NETWORK_MONITOR=base", "dino-im", "--print-xmpp=no-ansi;show-ns;all"]
        self.process = self.desktop.spawn("dino", *seeing({s: folder / o for s, o in ours.items()}, command))

    def _has_schema(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise LabError(f"Dino ended: {self.log()[-2000:]}")
        return bool(self.desktop.windows("Dino")) and self.database.exists()

    def _quit(self) -> None:
        self.desktop.run("gapplication", "action", "im.dino.Dino", "quit")
        assert self.process is not None
        self.process.wait(20)

    def log(self) -> str:
        return (self.desktop.folder / "log/dino.log").read_text(errors="replace")
