"""Starting a contact as a process of its own, and talking to its control socket. Synchronous, standard library only."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .lab import Ejabberd, LabError, Prosody, end_process

START = 30.0
PROGRAM = Path(__file__).with_name("contact.py")

Json = dict[str, Any]


class Remote:
    """One connection to a contact's control socket. Raises LabError when nobody listens there."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(str(path))
        except OSError as error:
            self.socket.close()
            raise LabError(f"no contact listens on {path}: {error}") from None
        self.events: deque[Json] = deque()
        self._buffer = b""

    def close(self) -> None:
        self.socket.close()

    def _read(self, timeout: float) -> Json | None:
        end = time.monotonic() + timeout
        while b"\n" not in self._buffer:
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(1 << 16)
            except TimeoutError:
                return None
            if not data:
                raise LabError("the contact closed its control socket")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer: Json = json.loads(line)
        return answer

    def send(self, command: str, timeout: float = 15.0, **arguments: Any) -> Json:
        """Do a command and return its answer. Raises LabError when the contact refuses."""
        self.post(command, **arguments)
        return self.answer(command, timeout)

    def post(self, command: str, **arguments: Any) -> None:
        """Half of `send`; `answer` must follow before anything else is sent."""
        self.socket.sendall(json.dumps({"cmd": command, **arguments}).encode() + b"\n")

    def answer(self, command: str = "", timeout: float = 15.0) -> Json:
        while True:
            message = self._read(timeout)
            if message is None:
                raise LabError(f"no answer to {command} within {timeout:.0f} s")
            if "event" in message:
                self.events.append(message)
            elif message.get("ok"):
                return message
            else:
                raise LabError(f"{command}: {message.get('error')}")

    def wait(self, event: str, timeout: float = 20.0, **fields: Any) -> Json:
        """The next event of that name with these fields; earlier events are dropped. Raises LabError after `timeout` seconds."""
        end = time.monotonic() + timeout
        missed: list[Json] = []
        while True:
            message = self.events.popleft() if self.events else self._read(max(0.01, end - time.monotonic()))
            if message is None:
                raise LabError(f"no event {event} {fields} within {timeout:.0f} s; came: {missed}")
            if message.get("event") == event and all(message.get(k) == v for k, v in fields.items()):
                return message
            missed.append(message)

    def report(self, *, log: bool = True) -> Json:
        return self.send("report", log=log)

    def until(self, test: Callable[[Json], Any], timeout: float = 15.0, step: float = 0.25) -> Json:
        """Report again and again until `test(report)` is true; returns that report. Raises LabError with the last one."""
        end = time.monotonic() + timeout
        while True:
            report = self.report(log=False)
            if test(report):
                return report
            if time.monotonic() > end:
                raise LabError(f"not within {timeout:.0f} s: {report}")
            time.sleep(step)


class Handset(Remote):
    """A contact process on `server`. Its account is made if need be. Use as a context manager, or `close` it.

    `options` go to contact.py, for example ``"--shape", "dino"``. ICE uses loopback only unless `loopback` is off.
    """

    def __init__(
        self,
        server: Ejabberd | Prosody,
        user: str,
        *options: str,
        password: str = "",
        loopback: bool = True,
        log: Path | None = None,
        register: bool = True,
    ) -> None:
        self.user, self.jid = user, f"{user}@{server.domain}"
        password = password or user
        if register:
            server.register(user, password)
        self.folder = Path(tempfile.mkdtemp(prefix="jb-contact-"))  # short: a socket path has at most 107 bytes
        self.path = self.folder / "control"
        self.log = log or server.folder / f"contact-{user}.log"
        self.process = self._spawn(server, password, [*options, *(["--loopback"] if loopback else [])])
        try:
            self._wait_online()
            super().__init__(self.path)
        except BaseException:
            end_process(self.process, signal.SIGKILL)
            self._forget()
            raise

    def _spawn(self, server: Ejabberd | Prosody, password: str, options: Sequence[str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(PROGRAM), "--jid", self.jid, "--host", server.host, "--port", str(server.c2s)]
        command += ["--ca", str(server.folder / "crt.pem"), "--control", str(self.path), *options]
        with self.log.open("ab") as out:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=out, start_new_session=True,
                                    env={**os.environ, "CONTACT_PASSWORD": password})  # fmt: skip

    def _wait_online(self) -> None:
        assert self.process.stdout
        line = self.process.stdout.readline().decode()
        if not line.startswith("online as "):
            self.process.wait(START)
            raise LabError(f"the contact {self.jid} did not start:\n{self.log.read_text()[-1500:]}")
        self.full = line.split()[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process in order (it says goodbye to its server)."""
        with contextlib.suppress(OSError):
            super().close()
        end_process(self.process, signal.SIGTERM)
        self._forget()

    def _forget(self) -> None:
        if self.process.stdout:
            self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)
