"""A small site of somebody else, with the call button of docs/how-to/embed.md and a strict CSP."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import expect

from jinglebridge.demo.lab import free_port

from .bridge import BridgeProcess
from .browser import Person

GUIDE = (Path(__file__).parents[2] / "docs/how-to/embed.md").read_text().partition("## 2b.")[2]
PAGE, STYLE = (GUIDE.partition(f"```{kind}\n")[2].partition("```")[0] for kind in ("html", "css"))
CSP = next(line for line in GUIDE.splitlines() if line.startswith("script-src "))
MORE = '<link rel="icon" href="data:,"><link rel="stylesheet" href="/shop.css"><script type="module" src="/shop.js"></script><title>'

# What happens is told to whoever listens far above the element.
SCRIPT = """
window.told = []
for (const type of ['call', 'ended', 'error']) {
  document.addEventListener(type, (event) => {
    told.push(type === 'ended' ? `ended ${event.detail.reason}` : type === 'error' ? `error ${event.detail.code}` : type)
    if (type === 'call') window.jinglebridge = { call: event.detail }
  })
}
"""
STRICT = (
    "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; "
)


class Shop:
    """A small site of somebody else. `token` is what its endpoint gives to whoever has its cookie."""

    def __init__(self) -> None:
        self.port = free_port()
        self.token = ""
        self.asked: list[tuple[str, bool]] = []  # method, with the cookie
        self.answers: dict[str, tuple[str, str]] = {}
        self.csp = ""

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.port}"

    def visited(self, who: Person) -> None:
        """By somebody who is logged in there."""
        who.page.context.add_cookies([{"name": "user", "value": "anna", "url": self.origin}])
        who.page.goto(f"{self.origin}/")

    @contextmanager
    def open(self) -> Iterator[None]:
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, body = shop.answers.get(self.path, ("", ""))
                if self.path == "/call-token":
                    logged_in = "user=anna" in self.headers.get("Cookie", "")
                    shop.asked.append((self.command, logged_in))
                    kind, body = ("application/json", f'{{"token": "{shop.token}"}}') if logged_in else ("", "")
                self.send_response(200 if kind else 403)
                self.send_header("Content-Type", kind or "text/plain")
                self.send_header("Content-Length", str(len(body.encode())))
                self.send_header("Content-Security-Policy", shop.csp)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def reads(who: Person, text: str) -> None:
    """Inside the element, where `innerText` does not look."""
    expect(who.page.get_by_text(re.compile(f"^{text}"))).to_be_visible(timeout=20000)


def furnish(shop: Shop, bridge: BridgeProcess, to: str) -> None:
    def ours(text: str) -> str:
        example = text.replace("wss://call.example.org", bridge.url.replace("http", "ws")).replace("https://call.example.org", bridge.url)
        return example.replace("support@example.org", to)

    shop.csp = STRICT + ours(CSP)
    shop.answers = {
        "/": ("text/html", ours(PAGE).replace("<title>", MORE)),
        "/shop.js": ("text/javascript", SCRIPT),
        "/shop.css": ("text/css", STYLE),
    }
