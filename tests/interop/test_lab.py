"""The recipes for operators do what they say: ejabberd.yml, jinglebridge.cfg.lua, nginx.conf, each started as it stands; and the demo."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect, sync_playwright

from jinglebridge.demo.lab import Ejabberd, LabError, Nginx, Prosody, free_port, port_open, recipe, replaced

from .browser import person
from .coturn import leads_nowhere

STREAM = "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='{}'>"


class Component:
    """XEP-0114 by hand: just enough to ask one question."""

    def __init__(self, server: Ejabberd | Prosody, secret: str) -> None:
        self.socket = socket.create_connection((server.host, server.component_port), 5)
        self.parser: Any = ET.XMLPullParser(("start", "end"))
        self.depth = 0
        self.socket.sendall(STREAM.format(server.component).encode())
        opened = self.next()
        self.socket.sendall(f"<handshake>{hashlib.sha1((opened.get('id', '') + secret).encode()).hexdigest()}</handshake>".encode())
        self.answer = self.next()

    def next(self) -> ET.Element:
        """The opening of the stream, then each complete element below it."""
        while True:
            for event, element in self.parser.read_events():
                self.depth += 1 if event == "start" else -1
                if (event, self.depth) in (("start", 1), ("end", 1)):
                    found: ET.Element = element
                    return found
            data = self.socket.recv(65536)
            assert data, "the server closed the stream"
            self.parser.feed(data)

    def ask(self, stanza: str) -> ET.Element:
        self.socket.sendall(stanza.encode())
        return self.next()


@contextlib.contextmanager
def component(server: Ejabberd | Prosody, secret: str | None = None) -> Iterator[Component]:
    made = Component(server, server.secret if secret is None else secret)
    try:
        yield made
    finally:
        made.socket.close()


def test_ejabberd_fragment_lets_the_bridge_in_and_its_users_ask_for_turn(ejabberd: Ejabberd) -> None:
    with component(ejabberd) as bridge:
        assert bridge.answer.tag.endswith("}handshake")
        answer = bridge.ask(
            f"<iq type='get' id='1' from='anna@{ejabberd.component}/w' to='{ejabberd.domain}'><services xmlns='urn:xmpp:extdisco:2'/></iq>"
        )
    found = {(e.get("type"), e.get("transport")) for e in answer.iter("{urn:xmpp:extdisco:2}service")}
    assert found >= {("stun", "udp"), ("turn", "udp"), ("turn", "tcp")}
    assert all(e.get("username") and e.get("password") for e in answer.iter("{urn:xmpp:extdisco:2}service") if e.get("type") == "turn")


def test_prosody_recipe_lets_the_bridge_in(prosody: Prosody) -> None:
    with component(prosody) as bridge:
        assert bridge.answer.tag.endswith("}handshake")


@pytest.mark.parametrize("which", ["ejabberd", "prosody"])
def test_wrong_secret_is_refused(which: str, request: pytest.FixtureRequest) -> None:
    with component(request.getfixturevalue(which), "wrong") as stranger:
        assert stranger.answer.find("{urn:ietf:params:xml:ns:xmpp-streams}not-authorized") is not None


def test_fragment_denies_private_ranges_and_says_what_to_change() -> None:
    text = recipe("ejabberd/ejabberd.yml")
    for network in ("10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"):
        assert f'- "{network}"' in text
    assert text.count("turn_blacklist: JINGLEBRIDGE_NO_RELAY_TO") == text.count("module: ejabberd_stun\n")


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "169.254.169.254"])
async def test_ejabberds_relay_leads_into_no_private_network(ejabberd: Ejabberd, address: str) -> None:
    """The list of the fragment works, with the credentials that a page gets. The lab lets 127.0.0.0/8 be reached only."""
    with component(ejabberd) as bridge:
        answer = bridge.ask(
            f"<iq type='get' id='1' from='anna@{ejabberd.component}/w' to='{ejabberd.domain}'><services xmlns='urn:xmpp:extdisco:2'/></iq>"
        )
    services = answer.iter("{urn:xmpp:extdisco:2}service")
    turn = next(e for e in services if (e.get("type"), e.get("transport")) == ("turn", "udp"))
    await leads_nowhere(int(turn.get("port", "")), turn.get("username"), turn.get("password"), address)


def test_a_recipe_that_changed_is_noticed() -> None:
    with pytest.raises(LabError, match="has no 'port: 1'"):
        replaced("port: 2", {"port: 1": "port: 3"})


def test_killed_ejabberd_comes_back_with_its_accounts_on_its_ports(own_ejabberd: Ejabberd) -> None:
    own_ejabberd.register("anna")
    pid, ports = own_ejabberd.pid, own_ejabberd.ready_ports()
    own_ejabberd.kill9()
    assert not own_ejabberd.alive and not any(map(port_open, ports))
    own_ejabberd.start()
    assert own_ejabberd.pid != pid and own_ejabberd.ready_ports() == ports
    assert own_ejabberd.api("registered_users", host=own_ejabberd.domain) == ["anna"]


# --- nginx ------------------------------------------------------------------------------------------------------------


class Upstream(BaseHTTPRequestHandler):
    """Stands for the bridge: tells what it was asked; /ws becomes a raw pipe that says "late" after a while of silence."""

    protocol_version = "HTTP/1.1"
    release = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/ws":
            assert self.headers["Upgrade"] == "websocket" and self.headers["Connection"] == "upgrade"
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "upgrade")
            self.end_headers()
            self.release.wait(10)
            self.wfile.write(b"late")
            self.close_connection = True
            return
        body = f"{self.path}|{self.headers['X-Forwarded-For']}|{self.headers['X-Forwarded-Proto']}|{self.headers['Host']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    upstream.daemon_threads = True
    thread = threading.Thread(target=upstream.serve_forever, daemon=True)
    thread.start()
    try:
        with Nginx(tmp_path / "nginx", upstream.server_address[1]) as server:
            yield server
    except LabError as error:
        if "is not installed" not in str(error) or "CI" in os.environ:
            raise
        pytest.skip(str(error))
    finally:
        upstream.shutdown()
        upstream.server_close()
        thread.join()


def trusted(server: Nginx) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(server.folder / "crt.pem"))


def test_nginx_recipe_passes_the_visitors_address_and_believes_no_header(nginx: Nginx) -> None:
    request = urllib.request.Request(nginx.url + "/healthz", headers={"X-Forwarded-For": "203.0.113.99"})
    with urllib.request.urlopen(request, context=trusted(nginx), timeout=5) as answer:
        path, visitors, scheme, host = answer.read().decode().split("|")
    assert (path, scheme, host) == ("/healthz", "https", nginx.name)
    assert visitors.split(", ")[-1] == "127.0.0.1", "the last one is nginx's own word"


def test_nginx_recipe_sends_http_to_https(nginx: Nginx) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", nginx.http, timeout=5)
    connection.request("GET", "/c/code", headers={"Host": "localhost"})
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (301, "https://localhost/c/code")
    connection.close()


def test_nginx_recipe_keeps_a_silent_socket(nginx: Nginx) -> None:
    """That it survives minutes is in the file (1 h); here: the upgrade passes, and what comes late arrives at once."""
    raw = socket.create_connection(("127.0.0.1", nginx.https), 5)
    with trusted(nginx).wrap_socket(raw, server_hostname="localhost") as web:
        web.sendall(b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        assert web.recv(4096).startswith(b"HTTP/1.1 101")
        Upstream.release.set()
        assert web.recv(4096) == b"late"
    assert "proxy_read_timeout 1h;" in (nginx.folder / "jinglebridge.conf").read_text()


def test_guest_codes_are_not_logged(nginx: Nginx) -> None:
    with urllib.request.urlopen(nginx.url + "/c/secret-code", context=trusted(nginx), timeout=5) as answer:
        assert answer.status == 200
    assert "secret-code" not in (nginx.folder / "access.log").read_text()


# --- the demo ---------------------------------------------------------------------------------------------------------


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextlib.contextmanager
def demo(folder: Path, *options: str, until: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The process, and what it has said when it says `until`. It must end as it should, with all that it started."""
    command = [sys.executable, "-m", "jinglebridge", "demo", "--state", str(folder / "demo"), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        assert running.stdout
        started: list[int] = []
        lines: list[str] = []
        try:
            for line in running.stdout:
                lines.append(line)
                if until in line:
                    break
            assert running.poll() is None and until in lines[-1], "".join(lines)
            started = children(running.pid)
            assert len(started) >= 4
            yield running, lines
        finally:
            running.send_signal(signal.SIGINT)
            rest = running.communicate(timeout=60)[0]
    assert running.returncode == 0 and rest.rstrip().endswith("Stopped.")
    assert not [pid for pid in started if os.path.exists(f"/proc/{pid}")]


def test_demo_prints_a_link_refuses_a_second_one_and_ends_everything(tmp_path: Path) -> None:
    with demo(tmp_path, until="http://localhost") as (running, lines):
        link = lines[-1].split()[-1]
        port = int(link.strip("/").rpartition(":")[2])
        with contextlib.closing(http.client.HTTPConnection("localhost", port, timeout=5)) as connection:
            connection.request("GET", "/")
            assert "/#token=" in connection.getresponse().headers["Location"]
        assert isinstance(running.args, list)
        second = subprocess.run(running.args, capture_output=True, text=True, timeout=60)
        assert second.returncode == 1 and f"running already: {link}" in second.stderr
        nobody = subprocess.run([*running.args, "call-me"], capture_output=True, text=True, timeout=60)
        assert nobody.returncode == 1 and "no page is open" in nobody.stderr


def test_demo_lets_a_page_of_another_site_call(tmp_path: Path) -> None:
    """What it prints with --allow-origin is a whole page; the XMPP server answers it too; a page of a third site gets no token."""
    port, own = free_port(), free_port(2)
    with demo(tmp_path, "--port", str(own), "--allow-origin", f"http://localhost:{port}/", until="WebSocket ") as (_, lines):
        page = "".join(line for line in lines if "jingle-call" in line and "<" in line)
        socket = lines[-1].split()[1]

        class Site(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b'<!doctype html><link rel="icon" href="data:,">' + page.encode())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        site = ThreadingHTTPServer(("127.0.0.1", port), Site)
        threading.Thread(target=site.serve_forever, daemon=True).start()
        try:
            with sync_playwright() as playwright, person(playwright, tmp_path, 700) as anna:
                anna.page.goto(f"http://localhost:{port}/")
                anna.page.evaluate("addEventListener('call', ({ detail }) => { window.jinglebridge = { call: detail } })")
                expect(anna.page.get_by_text("Echo is online")).to_be_visible(timeout=30000)
                anna.press("Call Echo")
                anna.connected()
                anna.hears_tone(700)
                opens = "new Promise((onopen, onerror) => Object.assign(new WebSocket(url, 'xmpp'), { onopen, onerror }))"
                anna.page.evaluate(f"(url) => {opens}", socket)
                assert anna.problems == []
                anna.page.goto(f"http://127.0.0.1:{port}/")  # another origin
                asked = "fetch(document.querySelector('jingle-call').getAttribute('token-url')).then(() => 'read', () => 'refused')"
                assert anna.page.evaluate(asked) == "refused"
        finally:
            site.shutdown()
            site.server_close()


def test_call_me_without_a_demo_says_what_to_do(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "jinglebridge", "demo", "call-me", "--state", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "start it with `scripts/demo`" in done.stderr
