"""A private ejabberd and a bridge, as processes of their own, and what they spend.

CPU is from /proc/PID/stat, memory from /proc/PID/status.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from jinglebridge.demo.lab import Ejabberd, LabError, end_process, free_port
from jinglebridge.web import tokens

TICK = os.sysconf("SC_CLK_TCK")
NO_SPIN = ["+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none"]
# The benchmark's people call more often than people do; all of these are keys of the configuration.
MANY = {"sockets_per_ip": 100_000, "calls_per_person": 1000, "calls_per_minute": 1_000_000, "calls_per_minute_domain": 1_000_000}


def cpu(pid: int) -> float:
    """CPU seconds of a process, all threads, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident(pid: int) -> int:
    """KiB of memory that are really there and belong to this process alone (not files, not shared)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    raise LabError("no RssAnon in /proc: this is not Linux 4.5 or newer")


class Server(Ejabberd):
    """ejabberd without shaper. Unless `spin`, its schedulers sleep when idle, so that waiting is not counted as work."""

    def __init__(self, folder: Path, *, spin: bool) -> None:
        super().__init__(folder, shaper="none")
        self._spin = spin

    def command(self) -> list[str]:
        program, *rest = super().command()
        return [program, *rest] if self._spin else [program, *NO_SPIN, *rest]

    @property
    def cpu(self) -> float:
        assert self.process is not None
        return cpu(self.process.pid)


class BridgeProcess:
    """`jinglebridge run`, with its log in a file. Use as a context manager."""

    def __init__(self, folder: Path, server: Ejabberd, level: str = "info") -> None:
        folder.mkdir(parents=True)
        self.server = server
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.secret = secrets.token_hex(32)
        self.log = folder / "bridge.log"
        self._config = folder / "bridge.toml"
        xmpp = {"domain": server.component, "server": server.domain, "host": server.host, "port": server.component_port}
        sections: dict[str, dict[str, Any]] = {
            "xmpp": {**xmpp, "secret": server.secret},
            "web": {"listen": f"127.0.0.1:{self.port}", "public_url": self.url},
            "store": {"path": str(folder / "store")},
            "tokens": {"secret": self.secret},
            "limits": MANY,
            "log": {"level": level},
        }
        lines = []
        for name, section in sections.items():
            lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in section.items())]
        self._config.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "jinglebridge", "run", "--config", str(self._config)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > end:
                end_process(self._process, signal.SIGTERM)
                raise LabError(f"the bridge did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.05)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        end_process(self._process, signal.SIGTERM)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + "/readyz", timeout=3) as reply:
                return bool(reply.status == 200)
        except (urllib.error.HTTPError, OSError):
            return False

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def cpu(self) -> float:
        return cpu(self.pid)

    @property
    def resident(self) -> int:
        return resident(self.pid)

    def token(self, user: str, contacts: list[str]) -> str:
        return tokens.create(self.secret, user, self.server.component, contacts=contacts, may_call=["*"])

    def complaints(self) -> list[str]:
        """Lines of the log that a run without trouble does not have."""
        words = ("warning", "error", "failed", "Traceback")
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if any(word in line for word in words) and "no-turn" not in line]
