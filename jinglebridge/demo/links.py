"""The demo's door: `/` leads to the page with a fresh token, so the printed link does not grow old; `/token` is a site's `token-url`.

Nobody logs in here, so it listens on loopback and answers to names of this machine only: no foreign site gets in through DNS.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from jinglebridge.demo.lab_server import IP


class Links(ThreadingHTTPServer):
    """At `port` or the next free one. `origins` are the sites whose pages may read `/token`."""

    daemon_threads = True

    def __init__(self, port: int, page: Callable[[], str], token: Callable[[], str], origins: Collection[str]) -> None:
        self.page, self.token, self.origins = page, token, origins
        while True:
            try:
                super().__init__((IP, port), Handler)
                return
            except OSError:
                port += 1

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: Links

    def do_GET(self) -> None:
        host = self.headers.get("Host", "").rpartition(":")[0]
        origin = self.headers.get("Origin", "")
        if host not in ("localhost", IP):
            self.send_error(404)
        elif self.path == "/":
            self._answer(302, {"Location": self.server.page()})
        elif self.path == "/token" and origin in self.server.origins:  # with cookies, so that it is a site's own endpoint in every way
            self._answer(200, {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true"}, self.server.token())
        else:
            self.send_error(403 if self.path == "/token" else 404)

    def _answer(self, status: int, headers: dict[str, str], text: str = "") -> None:
        self.send_response(status)
        for name, value in (headers | {"Cache-Control": "no-store", "Content-Length": str(len(text))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the lines would carry tokens."""
