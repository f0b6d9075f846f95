"""Private servers on 127.0.0.1 for the demo and the tests: ejabberd, Prosody, nginx. No system service is touched.

Each has its own folder, free ports, its own certificate and (ejabberd) node name, cookie and epmd. Everything is ended by the
process id it was started with. What an operator would add for jinglebridge comes from the recipes of this repository
(``ejabberd/``, ``prosody/``), word by word, with names, secret and ports replaced.

Standard library only; needs the Debian packages of the servers, and openssl.
"""

from __future__ import annotations

import glob
import json
import os
import secrets
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

from . import lab_configs
from .lab_server import (
    COMPONENT,
    DOMAIN,
    IP,
    LabError,
    Server,
    certificate,
    end_process,
    filled,
    free_port,
    port_open,
    recipe,
    replaced,
)  # fmt: skip

__all__ = [
    "COMPONENT", "DOMAIN", "IP", "Ejabberd", "LabError", "Nginx", "Prosody", "Server", "certificate", "end_process", "free_port",
    "port_open", "recipe", "replaced",
]  # fmt: skip

RELAYS = 40  # TURN relay ports


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
        self.turn = IP  # where STUN and TURN listen, and what is relayed comes from
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
                "port: 3478": f"port: {self.stun}", 'ip: "0.0.0.0"': f'ip: "{self.turn}"', "203.0.113.5": self.turn,
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
            "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none",  # an idle server leaves the processors to its neighbours
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
