"""What private servers have in common: ports, certificate, recipes, start and end. The servers themselves are in `lab`."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO, Self

IP = "127.0.0.1"
DOMAIN = "im.test"
COMPONENT = "call.im.test"
READY = 45.0  # seconds a server may take to start
STOP = 10.0  # seconds before SIGKILL

_given: set[int] = set()


class LabError(Exception):
    """A server is not installed or does not start; the text says what to do."""


def free_port(span: int = 1) -> int:
    """First of `span` ports that are free for TCP and UDP now, below the range the kernel gives out by itself.

    No other process gets them here while this one lives: between this and a server's start lies a second, in which other tests look too.
    """
    while True:
        first = random.randrange(18000, 32000)
        ports = range(first, first + span)
        if not _given.intersection(ports) and all(map(_claimed, ports)) and all(map(_is_free, ports)):
            _given.update(ports)
            return first


@cache
def _claims() -> int:
    """A file whose byte N is locked by the process that was given port N. It stays open: closing it would give all of them back."""
    path = Path(tempfile.gettempdir()) / f"jinglebridge-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def _claimed(port: int) -> bool:
    with contextlib.suppress(OSError):
        fcntl.lockf(_claims(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        return True
    return False


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                return False
    return True


def port_open(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((IP, port), 0.3):
        return True
    return False


def recipe(name: str) -> str:
    """Text of a recipe, for example ``ejabberd/ejabberd.yml``: from the checkout, or as installed beside this file."""
    for place in (Path(__file__).resolve().parents[2] / name, Path(__file__).resolve().parent / Path(name).name):
        if place.is_file():
            return place.read_text()
    raise LabError(f"the recipe {name} is missing; run from a checkout")


def replaced(text: str, pairs: Mapping[str, str]) -> str:
    """`text` with each key replaced. A key that does not occur means that the recipe changed: LabError."""
    for old, new in pairs.items():
        if old not in text:
            raise LabError(f"the recipe has no {old!r} any more")
        text = text.replace(old, new)
    return text


def filled(text: str, values: Mapping[str, object]) -> str:
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def certificate(folder: Path, names: tuple[str, ...]) -> None:
    """Self-signed: key.pem, crt.pem, and both in cert.pem. Kept when it is there."""
    if (folder / "cert.pem").exists():
        return
    alternatives = ",".join([*(f"DNS:{n}" for n in names), f"IP:{IP}"])
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj",
               f"/CN={names[0]}", "-addext", f"subjectAltName={alternatives}", "-keyout", "key.pem", "-out", "crt.pem"]  # fmt: skip
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise LabError("openssl is not installed: apt install openssl") from None
    for name in ("key.pem", "cert.pem"):
        (folder / name).touch(0o600)
    (folder / "cert.pem").write_text((folder / "key.pem").read_text() + (folder / "crt.pem").read_text())


class Server:
    """One private server process. Use as a context manager, or `start` and `stop`. Ports stay the same for its whole life."""

    program = ""
    package = ""

    def __init__(self, folder: Path, *, domain: str = DOMAIN, component: str = COMPONENT) -> None:
        self.folder = folder.resolve()
        self.domain, self.component = domain, component
        self.host = IP
        self.secret = secrets.token_hex(16)
        self.process: subprocess.Popen[bytes] | None = None
        self._logs: list[IO[bytes]] = []

    # what a kind of server has to say
    def prepare(self) -> None:
        """Write the configuration."""

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return {}

    def ready_ports(self) -> tuple[int, ...]:
        raise NotImplementedError

    def after_stop(self) -> None:
        """End helpers that were started along."""

    # life
    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.alive and self.process else None

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> Self:
        """Start and wait until it listens. Raises LabError with the end of its log."""
        if self.alive:
            return self
        if shutil.which(self.program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin") is None:
            raise LabError(f"{self.program} is not installed: apt install {self.package}")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        self.process = self.spawn(self.command(), "stdout.log", self.environment())
        end = time.monotonic() + READY
        while not all(map(port_open, self.ready_ports())):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise LabError(f"{self.package} did not start, see {self.folder}\n{self.log_tail()}")
            time.sleep(0.05)
        return self

    def spawn(self, command: list[str], log: str, environment: Mapping[str, str] = {}) -> subprocess.Popen[bytes]:
        out = (self.folder / log).open("ab")
        self._logs.append(out)
        path = f"{os.environ.get('PATH', '')}:/usr/sbin"
        return subprocess.Popen(
            command, cwd=self.folder, env={**os.environ, "PATH": path, **environment}, stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def stop(self) -> None:
        """Orderly, then by force; also ends its helpers. Does nothing when it is down."""
        end_process(self.process, signal.SIGTERM)
        self._down()

    def kill9(self) -> None:
        """As if the machine lost power: SIGKILL. `start` brings it back on the same ports, with its accounts."""
        end_process(self.process, signal.SIGKILL)
        self._down()

    def restart(self) -> Self:
        self.stop()
        return self.start()

    def _down(self) -> None:
        self.after_stop()
        for log in self._logs:
            log.close()
        self._logs.clear()

    def log_tail(self, lines: int = 25) -> str:
        texts = [p.read_text(errors="replace").splitlines()[-lines:] for p in sorted(self.folder.glob("**/*.log"))]
        return "\n".join(line for text in texts for line in text)


def end_process(process: subprocess.Popen[bytes] | None, number: signal.Signals, patience: float = STOP) -> None:
    """Signal a process of ours and wait for its end; SIGKILL when it takes too long."""
    if process is None or process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
