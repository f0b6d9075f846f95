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
from pathlib import Path
from types import FrameType
from typing import Any

from jinglebridge.demo.handset import Handset, Remote
from jinglebridge.demo.lab import IP, Ejabberd, LabError, end_process, port_open
from jinglebridge.demo.links import Links
from jinglebridge.errors import OperatorError

CONTACT = "echo"
PERSON = "you"
VISITOR = "visitor"  # of a page of another site
CHATTER = "anna"  # has an account, for a page with an XMPP connection of its own
PORT = 8080
READY = 60.0  # seconds for the bridge; a machine may have much else to do
ANSWER_AFTER = 1.5  # seconds the contact lets it ring, so that there is something to see
RING = 70.0  # seconds `call-me` waits for the person


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = __doc__
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", nargs="?", choices=("start", "call-me"), default="start", help="start (default) all, or call the page")
    parser.add_argument("--video", action="store_true", help="call-me: with video")
    parser.add_argument("--port", type=int, default=PORT, help=f"port of the page (default {PORT}, or the next free one)")
    parser.add_argument("--shape", choices=("modern", "dino"), default="modern", help="the contact writes Jingle like this client")
    parser.add_argument(
        "--allow-origin", action="append", default=[], metavar="URL",
        help="your own page, such as http://localhost:3000, may use the bridge; may be given again",
    )  # fmt: skip
    parser.add_argument("--state", type=Path, default=None, metavar="FOLDER", help="for logs and data (default .demo); emptied at start")


def run(args: argparse.Namespace) -> int:
    """Raises OperatorError."""
    state = (args.state or default_state()).resolve()
    try:
        if args.what == "call-me":
            return call_me(state, args.video)
        from jinglebridge.web.origins import origin_of

        return start(state, args.port, args.shape, [origin_of(url) for url in args.allow_origin])
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


def start(state: Path, port: int, shape: str, origins: list[str]) -> int:
    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in ends:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C shall not leave half of it running
        raise Stopped

    for number in ends:
        signal.signal(number, stop)
    with _only_one(state), contextlib.ExitStack() as cleanup:
        try:
            demo = Demo(state, port, shape, origins, cleanup)
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

    def __init__(self, state: Path, port: int, shape: str, origins: list[str], cleanup: contextlib.ExitStack) -> None:
        self.state, self.shape, self.origins, self.cleanup = state, shape, origins, cleanup
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
        if self.origins:
            self._tell_developers(link)

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
            admin=json.dumps(str(self.sockets / "admin")), origins=json.dumps(self.origins),
            outgoing=json.dumps("servers" if self.origins else "contacts"),
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
        server = Links(self.port + 1, lambda: f"{self.url}/#token={self._token(PERSON)}", lambda: self._token(VISITOR), self.origins)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.cleanup.callback(server.server_close)
        self.cleanup.callback(server.shutdown)
        return server.url

    def _token(self, user: str) -> str:
        from jinglebridge.web.tokens import create

        assert self.contact
        return create(self.token_secret, user, self.ejabberd.component, name=user.title(), contacts=[self.contact.jid])

    def _tell_developers(self, link: str) -> None:
        assert self.contact
        password = self.ejabberd.register(CHATTER, secrets.token_hex(6))
        text = FOR_DEVELOPERS.format(
            origins=", ".join(self.origins), url=self.url, link=link, contact=self.contact.jid, config=self.state / "bridge.toml",
            socket=f"ws://{IP}:{self.ejabberd.http}/ws", chatter=f"{CHATTER}@{self.ejabberd.domain}", password=password,
            component=self.ejabberd.component,
        )  # fmt: skip
        say(text)

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
allowed_origins = {origins}

[policy]
outgoing = {outgoing}

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

FOR_DEVELOPERS = """
  Pages of {origins} may use this bridge.

  A call button (docs/how-to/embed.md). This is a whole page; its tokens are made by the demo, in place of your site:

     <script type="module" src="{url}/client/jingle-call.js"></script>
     <jingle-call to="{contact}" name="Echo" token-url="{link}token" presence></jingle-call>

     One more token, for somebody else:   jinglebridge token create bob --contact {contact} --config {config}

  A page that speaks XMPP already (docs/how-to/xmpp-page.md):

     WebSocket {socket}    account {chatter}    password {password}    bridge {component}
"""
