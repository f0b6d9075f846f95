"""`jinglebridge demo`: a private ejabberd, the bridge and an IM contact on this machine, and a link to click.

`jinglebridge demo call-me` makes the contact of the running demo call the open page.
Nothing outside the state folder is touched; Ctrl-C ends everything that was started, by process id.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any

from jinglebridge.demo.handset import Handset, Remote
from jinglebridge.demo.lab import IP, Ejabberd, LabError, end_process, free_port, port_open
from jinglebridge.errors import OperatorError

CONTACT = "echo"
PERSON = "you"
PORT = 8080
READY = 20.0  # seconds for the bridge
ANSWER_AFTER = 1.5  # seconds the contact lets it ring, so that there is something to see
RING = 70.0  # seconds `call-me` waits for the person


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = __doc__
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", nargs="?", choices=("start", "call-me"), default="start", help="start (default) all, or call the page")
    parser.add_argument("--video", action="store_true", help="call-me: with video")
    parser.add_argument("--port", type=int, default=PORT, help=f"port of the page (default {PORT}, or the next free one)")
    parser.add_argument("--shape", choices=("modern", "dino"), default="modern", help="the contact writes Jingle like this client")
    parser.add_argument("--state", type=Path, default=None, metavar="FOLDER", help="for logs and data (default .demo); emptied at start")


def run(args: argparse.Namespace) -> int:
    """Raises OperatorError."""
    state = (args.state or default_state()).resolve()
    try:
        return call_me(state, args.video) if args.what == "call-me" else start(state, args.port, args.shape)
    except LabError as error:
        raise OperatorError(str(error)) from None


def default_state() -> Path:
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file() and os.access(checkout, os.W_OK):
        return checkout / ".demo"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "jinglebridge-demo"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


# --- start ------------------------------------------------------------------------------------------------------------


class Stopped(Exception):
    """The person wants an end (Ctrl-C, SIGTERM, terminal closed)."""


def start(state: Path, port: int, shape: str) -> int:
    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in ends:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C shall not leave half of it running
        raise Stopped

    for number in ends:
        signal.signal(number, stop)
    with _only_one(state), contextlib.ExitStack() as cleanup:
        try:
            demo = Demo(state, port, shape, cleanup)
            demo.up()
            demo.watch()
        except Stopped:
            say("\nStopping what was started ...")
    say("Stopped.")
    return 0


@contextlib.contextmanager
def _only_one(state: Path) -> Iterator[None]:
    """Hold the folder's lock. Raises OperatorError naming the running demo."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            link = _told(state).get("link", "it is still starting")
            raise OperatorError(f"a demo is running already: {link}\nEnd it with Ctrl-C where it runs, or give another --state.") from None
        yield


def _told(state: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        told: dict[str, Any] = json.loads((state / "demo.json").read_text())
        return told
    return {}


class Demo:
    """The parts, in the order in which they start; `cleanup` ends them in the reverse order."""

    def __init__(self, state: Path, port: int, shape: str, cleanup: contextlib.ExitStack) -> None:
        self.state, self.shape, self.cleanup = state, shape, cleanup
        _end_leftovers(state)
        for old in state.iterdir():
            if old.name != "lock":
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        self.port = _first_free(port)
        self.sockets = Path(tempfile.mkdtemp(prefix="jb-demo-"))  # a socket's path has at most 107 bytes
        cleanup.callback(shutil.rmtree, self.sockets, ignore_errors=True)
        self.ejabberd = Ejabberd(state / "ejabberd")
        self.token_secret = secrets.token_hex(32)
        self.began = time.monotonic()
        self.bridge: subprocess.Popen[bytes] | None = None
        self.contact: Handset | None = None

    def step(self, text: str) -> None:
        say(f"  {time.monotonic() - self.began:5.1f} s  {text}")

    def up(self) -> None:
        say("Starting the demo (Ctrl-C ends it and everything it started)")
        self.step(f"private ejabberd on loopback, in {self.state} ...")
        self.cleanup.callback(self.ejabberd.stop)
        self.ejabberd.start()
        self._remember()
        self.step(f"the bridge, as its component {self.ejabberd.component} ...")
        self._start_bridge()
        self._remember()
        self.step(f"the IM contact {CONTACT}@{self.ejabberd.domain} ...")
        self.contact = Handset(
            self.ejabberd, CONTACT, "--shape", self.shape, "--answer-after", str(ANSWER_AFTER), password=secrets.token_hex(12),
            loopback=False, log=self.state / "contact.log",
        )  # fmt: skip
        self.cleanup.callback(self.contact.close)
        link = self._serve_links()
        self._remember(link=link, control=str(self.contact.path))
        self.step("ready.")
        say(WHAT_TO_DO.format(link=link, contact=self.contact.jid, state=self.state))

    def _start_bridge(self) -> None:
        config = self.state / "bridge.toml"
        for name, secret in (("component.secret", self.ejabberd.secret), ("token.secret", self.token_secret)):
            path = self.state / name
            path.touch(0o600)
            path.write_text(secret + "\n")
        text = CONFIG.format(
            domain=json.dumps(self.ejabberd.component), server=json.dumps(self.ejabberd.domain), port=self.ejabberd.component_port,
            component_secret=json.dumps(str(self.state / "component.secret")), token_secret=json.dumps(str(self.state / "token.secret")),
            listen=json.dumps(f"{IP}:{self.port}"), url=json.dumps(self.url), store=json.dumps(str(self.state / "store")),
            admin=json.dumps(str(self.sockets / "admin")),
        )  # fmt: skip
        config.write_text(text)
        with (self.state / "bridge.log").open("ab") as log:
            self.bridge = subprocess.Popen(
                [sys.executable, "-m", "jinglebridge", "run", "--config", str(config)], stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.cleanup.callback(end_process, self.bridge, signal.SIGTERM)
        end = time.monotonic() + READY
        while not self._bridge_ready():
            if self.bridge.poll() is not None or time.monotonic() > end:
                raise OperatorError(f"the bridge did not start, see {self.state / 'bridge.log'}:\n{_tail(self.state / 'bridge.log')}")
            time.sleep(0.05)

    def _bridge_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{IP}:{self.port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def _serve_links(self) -> str:
        """A listener that sends the browser on to the page with a fresh token: the printed link does not grow old."""
        server = ThreadingHTTPServer((IP, free_port()), Links)
        server.make_target = self._target  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.cleanup.callback(server.server_close)
        self.cleanup.callback(server.shutdown)
        return f"http://localhost:{server.server_address[1]}/"

    def _target(self) -> str:
        from jinglebridge.web.tokens import create

        assert self.contact
        token = create(self.token_secret, PERSON, self.ejabberd.component, name="You", contacts=[self.contact.jid])
        return f"{self.url}/#token={token}"

    def _remember(self, **more: str) -> None:
        """For `call-me`, for a second demo, and for a next one after this was killed."""
        processes = [self.ejabberd.process, self.ejabberd.epmd, self.bridge, self.contact.process if self.contact else None]
        started = {p.pid: _command_line(p.pid) for p in processes if p is not None}
        (self.state / "demo.json").write_text(json.dumps({"pid": os.getpid(), "processes": started, **more}))

    def watch(self) -> None:
        """Until the person wants an end. Raises OperatorError when a part dies."""
        assert self.bridge and self.contact
        while True:
            for name, process, log in (
                ("ejabberd", self.ejabberd.process, self.state / "ejabberd/log/ejabberd.log"),
                ("the bridge", self.bridge, self.state / "bridge.log"),
                ("the contact", self.contact.process, self.state / "contact.log"),
            ):
                if process is not None and process.poll() is not None:
                    raise OperatorError(f"{name} ended by itself (status {process.returncode}), see {log}:\n{_tail(log)}")
            time.sleep(0.3)


class Links(BaseHTTPRequestHandler):
    """``/`` leads to the page with a fresh token. Only for names of this machine, so that no foreign site can ask through DNS."""

    def do_GET(self) -> None:
        host = self.headers.get("Host", "").rpartition(":")[0]
        if self.path != "/" or host not in ("localhost", IP):
            self.send_error(404)
            return
        self.send_response(302)
        self.send_header("Location", self.server.make_target())  # type: ignore[attr-defined]
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the lines would carry tokens."""


def _first_free(port: int) -> int:
    while port_open(port) or not _bindable(port):
        port += 1
    return port


def _bindable(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((IP, port))
        except OSError:
            return False
    return True


def _tail(path: Path, lines: int = 12) -> str:
    with contextlib.suppress(OSError):
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    return ""


def _command_line(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def _end_leftovers(state: Path) -> None:
    """After a SIGKILL the parts of the last demo still run: end those that are still the same processes."""
    for pid, command in _told(state).get("processes", {}).items():
        if command and _command_line(int(pid)) == command:
            say(f"  ending process {pid} of an earlier demo")
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGTERM)
            end = time.monotonic() + 10
            while _command_line(int(pid)) == command and time.monotonic() < end:
                time.sleep(0.05)


# --- call-me ----------------------------------------------------------------------------------------------------------


def call_me(state: Path, video: bool) -> int:
    """The contact of the running demo calls the page. 0 = answered, 1 = not."""
    told = _told(state)
    if "control" not in told or not Path(told["control"]).exists():
        raise OperatorError("no demo is running: start it with `scripts/demo` in another terminal")
    with contextlib.closing(Remote(Path(told["control"]))) as contact:
        report = contact.report(log=False)
        pages = [jid for jid, peer in report["peers"].items() if peer["show"] not in ("unavailable",) and "@call." in jid]
        if not pages:
            raise OperatorError(f"no page is open: open {told['link']} in a browser first")
        page = pages[-1].partition("/")[0]
        contact.send("call", to=page, media=["audio", "video"] if video else ["audio"])
        say(f"{report['jid'].partition('/')[0]} calls {page} ({'video' if video else 'audio'}) ...")
        while True:
            event = contact.wait("state", timeout=RING)
            if event["state"] == "ringing":
                say("It rings in the page: press Accept or Decline there.")
            elif event["state"] == "connected":
                say("Connected. Hang up in the page.")
                return 0
            elif event["state"] == "ended":
                say(f"Not answered: {contact.report(log=False)['call']['reason']}.")
                return 1


CONFIG = """\
# made by `jinglebridge demo`; gone with the next one
[xmpp]
domain = {domain}
server = {server}
host = "127.0.0.1"
port = {port}
secret_file = {component_secret}

[web]
listen = {listen}
public_url = {url}

[tokens]
secret_file = {token_secret}

[store]
path = {store}

[admin]
socket = {admin}
"""

WHAT_TO_DO = """
  Open this in a browser on this machine:   {link}

  1. The page shows the contact {contact}. Press the telephone or the camera beside it and allow microphone and camera.
     It rings for a moment; then you hear your own voice and see your own picture come back, through real XMPP and real Jingle.
     Use headphones, or the echo feeds back.
  2. To be called:   scripts/demo call-me          (or: scripts/demo call-me --video)
     The page rings; press Accept or Decline.
  3. Ctrl-C here ends everything. Logs: {state}
"""
