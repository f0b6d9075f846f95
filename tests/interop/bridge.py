"""The bridge under test as a person runs it: `jinglebridge run` in a process of its own."""

from __future__ import annotations

import json
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Protocol

from jinglebridge.demo.lab import free_port
from jinglebridge.log import GATHER
from jinglebridge.web import tokens


class XmppServer(Protocol):
    """What the bridge must know of a server of `jinglebridge.demo.lab`."""

    domain: str
    component: str
    host: str
    secret: str
    component_port: int


def wait_for(what: str, condition: Any, patience: float = 20.0) -> Any:
    """Poll until `condition()` is true; its value. Fails with `what`."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {patience} s: {what}"
        time.sleep(0.05)


class BridgeProcess:
    """Starts on construction unless told otherwise; `close` stops it by pid."""

    def __init__(self, folder: Path, server: XmppServer, *, start: bool = True, **sections: dict[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.server = server
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.token_secret = secrets.token_hex(32)
        self.config = folder / "bridge.toml"
        self.log_file = folder / "bridge.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.write_config(**sections)
        if start:
            try:
                self.start()
            except BaseException:
                self.close()  # a bridge that never got ready must not stay: it would be in the next one's way
                raise

    def write_config(self, **sections: dict[str, Any]) -> None:
        server = self.server
        xmpp = {
            "domain": server.component,
            "server": server.domain,
            "host": server.host,
            "port": server.component_port,
            "secret": server.secret,
        }
        web = {"listen": f"127.0.0.1:{self.port}", "public_url": self.url}
        base: dict[str, dict[str, Any]] = {
            "xmpp": xmpp,
            "web": web,
            "store": {"path": str(self.folder / "store")},
            "tokens": {"secret": self.token_secret},
            "limits": {"calls_per_minute": 1000},
            "log": {"level": "debug", "format": "json"},
        }
        for name, section in sections.items():
            base.setdefault(name, {}).update(section)
        lines: list[str] = []
        for name, section in base.items():
            lines.append(f"[{name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in section.items()]
        self.config.write_text("\n".join(lines) + "\n")

    def start(self, *, ready: bool = True) -> None:
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jinglebridge", "run", "--config", str(self.config)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        if ready:
            try:
                wait_for("the bridge is ready", self.ready, 45.0)
            except AssertionError as error:
                raise AssertionError(f"{error}; its log:\n{self.log()}") from None

    def ready(self) -> bool:
        assert self.process is None or self.process.poll() is None, f"the bridge ended:\n{self.log()}"
        return self.http("/readyz")[0] == 200

    def http(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=3) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def log(self) -> str:
        time.sleep(2 * GATHER)  # what was logged until now is there
        return self.log_file.read_text() if self.log_file.exists() else ""

    def token(self, user: str, *contacts: str, **claims: Any) -> str:
        return tokens.create(self.token_secret, user, self.server.component, contacts=contacts, **claims)

    def link(self, user: str, *contacts: str, **claims: Any) -> str:
        return f"{self.url}/#token={self.token(user, *contacts, **claims)}"

    def jid(self, user: str) -> str:
        return f"{user}@{self.server.component}"

    def command(self, *words: str, patience: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Another command of the bridge, with this configuration."""
        command = [sys.executable, "-m", "jinglebridge", words[0], "--config", str(self.config), *words[1:]]
        return subprocess.run(command, capture_output=True, text=True, timeout=patience)

    def calls(self) -> list[dict[str, Any]]:
        """The live ones."""
        return [call for call in self.all_calls() if call["state"] != "ended"]

    def all_calls(self) -> list[dict[str, Any]]:
        """Those of the last hour, too. Asked as `jinglebridge calls` asks, without a process each time; test_operator runs the command."""
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(10)
            admin.connect(str(self.folder / "store" / "admin.sock"))
            admin.sendall(b'{"command": "calls"}\n')
            answer = json.loads(b"".join(iter(lambda: admin.recv(1 << 16), b"")))
        return answer["calls"]  # type: ignore[no-any-return]

    def signal(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end; the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(15)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
