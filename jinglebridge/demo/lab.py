"""Private servers on 127.0.0.1 for the demo and the tests: ejabberd, Prosody, nginx. No system service is touched.

Each has its own folder, free ports, its own certificate and (ejabberd) node name, cookie and epmd. Everything is ended by the
process id it was started with. What an operator would add for jinglebridge comes from the recipes of this repository
(``ejabberd/``, ``prosody/``), word by word, with names, secret and ports replaced.

Standard library only; needs the Debian packages of the servers, and openssl.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from . import lab_configs

IP = "127.0.0.1"
DOMAIN = "im.test"
COMPONENT = "call.im.test"
READY = 45.0  # seconds a server may take to start
STOP = 10.0  # seconds before SIGKILL
RELAYS = 40  # TURN relay ports

_given: set[int] = set()


class LabError(Exception):
    """A server is not installed or does not start; the text says what to do."""


def free_port(span: int = 1) -> int:
    """First of `span` ports that are free for TCP and UDP now, below the range the kernel gives out by itself."""
    while True:
        first = random.randrange(18000, 32000)
        ports = range(first, first + span)
        if not _given.intersection(ports) and all(map(_is_free, ports)):
            _given.update(ports)
            return first


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


class Ejabberd(Server):
    """ejabberd with the stock Debian configuration and ejabberd/ejabberd.yml of this repository.

    `shaper`: ``normal`` is Debian's (3000 bytes/s after 20000); ``none`` for load tests.
    """

    program, package = "erl", "ejabberd"

    def __init__(self, folder: Path, *, domain: str = DOMAIN, component: str = COMPONENT, shaper: str = "normal") -> None:
        super().__init__(folder, domain=domain, component=component)
        self.shaper = shaper
        self.c2s, self.component_port, self.http, self.stun, self.epmd_port = (free_port() for _ in range(5))
        self.relays = free_port(RELAYS)
        self.cookie = secrets.token_hex(12)
        self.node = f"lab{secrets.token_hex(4)}@localhost"
        self.epmd: subprocess.Popen[bytes] | None = None
        self._accounts: dict[str, str] = {}

    def fragment(self) -> str:
        """ejabberd/ejabberd.yml with names, secret, ports and the TURN address of this lab; loopback may be relayed to here."""
        return replaced(
            recipe("ejabberd/ejabberd.yml"),
            {
                "call.example.org": self.component, "CHANGE-THIS-SECRET": self.secret, "port: 5347": f"port: {self.component_port}",
                "port: 3478": f"port: {self.stun}", 'ip: "0.0.0.0"': f'ip: "{IP}"', "203.0.113.5": IP,
                "turn_min_port: 49152": f"turn_min_port: {self.relays}",
                "turn_max_port: 65535": f"turn_max_port: {self.relays + RELAYS - 1}", '    - "127.0.0.0/8"\n': "",
            },
        )  # fmt: skip

    def prepare(self) -> None:
        for name in ("spool", "log", "home"):
            (self.folder / name).mkdir(exist_ok=True)
        certificate(self.folder, (self.domain, self.component, "localhost"))
        values = {"dir": self.folder, "domain": self.domain, "c2s": self.c2s, "http": self.http, "shaper": self.shaper}
        (self.folder / "ejabberd.yml").write_text(filled(lab_configs.EJABBERD, values))
        fragment = self.folder / "jinglebridge.yml"
        fragment.touch(0o600)
        fragment.write_text(self.fragment())
        # a foreground epmd of our own, on our own port, ended by its pid
        environment = {"ERL_EPMD_ADDRESS": IP, "ERL_EPMD_PORT": str(self.epmd_port)}
        self.epmd = self.spawn(["epmd", "-port", str(self.epmd_port), "-address", IP], "epmd.log", environment)
        while not port_open(self.epmd_port) and self.epmd.poll() is None:
            time.sleep(0.02)

    def command(self) -> list[str]:
        return [
            "erl", "-sname", self.node, "-setcookie", self.cookie, "-start_epmd", "false", "+K", "true", "+P", "250000",
            "-kernel", "inet_dist_use_interface", "{127,0,0,1}", "-mnesia", "dir", json.dumps(str(self.folder / "spool")),
            # Mnesia keeps what is new in memory for a while; a SIGKILL in a test shall not take accounts and rosters with it
            "-mnesia", "dump_log_write_threshold", "1", "-mnesia", "dump_log_time_threshold", "300", "-s", "ejabberd", "-noinput",
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        libraries = sorted(glob.glob("/usr/lib/*/ejabberd-*/ebin"))
        if not libraries and "ERL_LIBS" not in os.environ:
            raise LabError("ejabberd is not installed: apt install ejabberd")
        folder = self.folder
        return {
            "HOME": str(folder / "home"), "EJABBERD_CONFIG_PATH": str(folder / "ejabberd.yml"),
            "EJABBERD_LOG_PATH": str(folder / "log/ejabberd.log"), "EJABBERD_PID_PATH": str(folder / "ejabberd.pid"),
            "ERL_CRASH_DUMP": str(folder / "log/crash.dump"), "ERL_CRASH_DUMP_BYTES": "0",
            "ERL_LIBS": os.environ.get("ERL_LIBS") or str(Path(libraries[-1]).parents[1]), "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": IP, "ERL_MAX_PORTS": "32000", "CONTRIB_MODULES_PATH": str(folder / "contrib"),
            "CONTRIB_MODULES_CONF_DIR": str(folder / "contrib"),
        }  # fmt: skip

    def ready_ports(self) -> tuple[int, ...]:
        return (self.c2s, self.component_port, self.http)

    def start(self) -> Self:
        super().start()
        for user, password in list(self._accounts.items()):  # one made right before a SIGKILL may be gone
            self.register(user, password)
        return self

    def after_stop(self) -> None:
        end_process(self.epmd, signal.SIGTERM)

    def api(self, command: str, **arguments: object) -> Any:
        """An ejabberd command through its HTTP API, for example ``connected_users``. Raises urllib.error.HTTPError."""
        request = urllib.request.Request(
            f"http://{IP}:{self.http}/api/{command}", json.dumps(arguments).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def register(self, user: str, password: str | None = None) -> str:
        """Make an account (or set its password); returns the password, by default the name of the user."""
        password = self._accounts[user] = password or user
        if user in self.api("registered_users", host=self.domain):
            self.api("change_password", user=user, host=self.domain, newpass=password)
        else:
            self.api("register", user=user, host=self.domain, password=password)
        return password


class Prosody(Server):
    """Prosody with prosody/jinglebridge.cfg.lua of this repository. Without STUN/TURN (Prosody has none)."""

    program, package = "prosody", "prosody"

    def __init__(self, folder: Path, *, domain: str = DOMAIN, component: str = COMPONENT) -> None:
        super().__init__(folder, domain=domain, component=component)
        self.c2s, self.component_port = free_port(), free_port()

    def prepare(self) -> None:
        (self.folder / "data").mkdir(exist_ok=True)
        certificate(self.folder, (self.domain, self.component, "localhost"))
        ours = replaced(recipe("prosody/jinglebridge.cfg.lua"), {"call.example.org": self.component, "CHANGE-THIS-SECRET": self.secret})
        (self.folder / "jinglebridge.cfg.lua").write_text(ours)
        values = {"dir": self.folder, "domain": self.domain, "c2s": self.c2s, "component": self.component_port}
        root = "run_as_root = true\n" if os.geteuid() == 0 else ""
        (self.folder / "prosody.cfg.lua").write_text(root + filled(lab_configs.PROSODY, values))

    def _program(self, name: str) -> list[str]:
        return [name, *(["--root"] if os.geteuid() == 0 else []), "--config", str(self.folder / "prosody.cfg.lua")]

    def command(self) -> list[str]:
        return [*self._program("prosody"), "-F"]

    def ready_ports(self) -> tuple[int, ...]:
        return (self.c2s, self.component_port)

    def register(self, user: str, password: str | None = None) -> str:
        """As `Ejabberd.register`. Raises LabError."""
        password = password or user
        command = [*self._program("prosodyctl"), "register", user, self.domain, password]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder)
        if done.returncode:
            raise LabError(f"prosodyctl register {user}: {done.stdout}{done.stderr}")
        return password


class Nginx(Server):
    """nginx with ejabberd/nginx.conf of this repository in front of `upstream` (a port on 127.0.0.1). TLS on `https`, `http` redirects."""

    program, package = "nginx", "nginx"

    def __init__(self, folder: Path, upstream: int, *, name: str = "localhost") -> None:
        super().__init__(folder)
        self.upstream, self.name = upstream, name
        self.http, self.https = free_port(), free_port()

    @property
    def url(self) -> str:
        return f"https://{self.name}:{self.https}"

    def prepare(self) -> None:
        (self.folder / "tmp").mkdir(exist_ok=True)
        certificate(self.folder, (self.name, "localhost"))
        ours = replaced(
            recipe("ejabberd/nginx.conf"),
            {
                "127.0.0.1:8080;\n    keepalive": f"{IP}:{self.upstream};\n    keepalive", "listen 80;": f"listen {IP}:{self.http};",
                "listen 443 ssl": f"listen {IP}:{self.https} ssl",
                "/etc/letsencrypt/live/call.example.org/fullchain.pem": str(self.folder / "crt.pem"),
                "/etc/letsencrypt/live/call.example.org/privkey.pem": str(self.folder / "key.pem"),
                "server_name call.example.org": f"server_name {self.name}",
            },
        )  # fmt: skip
        (self.folder / "jinglebridge.conf").write_text(ours)
        (self.folder / "nginx.conf").write_text(filled(lab_configs.NGINX, {"dir": self.folder}))

    def command(self) -> list[str]:
        return ["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e", str(self.folder / "error.log")]

    def ready_ports(self) -> tuple[int, ...]:
        return (self.http, self.https)
