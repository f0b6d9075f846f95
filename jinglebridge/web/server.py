"""HTTP: the page, the modules, the connections, and how the operator sees whether all is well.

Spec: DESIGN §3 (HTTP), §5; J-251.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from jinglebridge.errors import OperatorError
from jinglebridge.web import messages as m
from jinglebridge.web import proofs, websocket
from jinglebridge.web.connection import Connections
from jinglebridge.web.gate import Gate
from jinglebridge.web.guest_pages import GuestPages, Looker
from jinglebridge.web.origins import Origins
from jinglebridge.web.places import Crowd
from jinglebridge.web.socket import Socket, taken
from jinglebridge.web.stream import Streams

IDLE = 75.0  # seconds that a connection may be silent before a request; longer than proxies keep theirs

TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".svg": "image/svg+xml",
    ".ts": "text/plain",
    ".json": "application/json",
}


def client_folder() -> Path:
    """The `client/` files: inside the installed package, or beside it in a checkout."""
    installed = Path(__file__).parent / "client"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "client"


class WebServer:
    """Listens and serves. `ready()` says whether a call could be made right now."""

    def __init__(
        self,
        gate: Gate,
        ready: Callable[[], bool],
        *,
        public_url: str,
        allowed_origins: list[str],
        trusted_proxies: list[str],
        sockets_per_ip: int,
        links: Looker | None = None,
        desk: proofs.Desk | None = None,
    ) -> None:
        """`desk`: for the proof of an address; None: nobody can prove one here."""
        self._gate = gate
        self._desk = desk
        self._ready = ready
        self._origins = Origins(public_url, allowed_origins)
        self._proxies = [ipaddress.ip_network(p, strict=False) for p in trusted_proxies]
        self._crowd = Crowd(sockets_per_ip)
        self._connections = Connections(gate)
        self._headers = security_headers(public_url)
        self._streams = Streams(self._connections, self._crowd, self.address_of, self._origins, self._headers)
        self._runner: web.AppRunner | None = None
        self._folder = client_folder()
        self._guests = GuestPages(links, self._folder / "guest.html", self.address_of, self._origins.check) if links is not None else None

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024)
        app.router.add_get("/ws", self.websocket, allow_head=False)
        self._streams.register(app)
        if self._desk is not None:
            app.router.add_post("/proof", self.begin_proof)
            app.router.add_post("/proof/answer", self.answer_proof)
        app.router.add_get("/", self.page)
        app.router.add_get("/client/{name:[a-z0-9_.-]+}", self.file)
        app.router.add_get("/healthz", self.healthz)
        app.router.add_get("/readyz", self.readyz)
        if self._guests is not None:
            self._guests.register(app)
        app.on_response_prepare.append(self._add_headers)
        return app

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Raises OperatorError if the port is in use."""
        self._runner = web.AppRunner(self.app(), access_log=None, handle_signals=False, shutdown_timeout=1.0, keepalive_timeout=IDLE)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port, ssl_context=tls, reuse_address=True).start()
        except OSError as error:
            raise OperatorError(
                f"cannot listen on {host}:{port} ({error.strerror}): stop what uses the port, or change [web] listen"
            ) from None

    async def stop(self) -> None:
        await self._connections.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    # --- handlers

    async def begin_proof(self, request: web.Request) -> web.StreamResponse:
        self._origins.check(request)
        assert self._desk is not None
        return await proofs.begin(request, self._desk, self.address_of(request))

    async def answer_proof(self, request: web.Request) -> web.StreamResponse:
        self._origins.check(request)
        assert self._desk is not None
        return await proofs.answer(request, self._desk)

    async def websocket(self, request: web.Request) -> web.StreamResponse:
        self._origins.check(request)
        if m.PROTOCOL not in request.headers.get("Sec-WebSocket-Protocol", "").replace(" ", "").split(","):
            raise web.HTTPBadRequest(text=f"this is a WebSocket of subprotocol {m.PROTOCOL}\n")
        key = request.headers.get("Sec-WebSocket-Key", "")
        upgrade, version = request.headers.get("Upgrade", "").lower(), request.headers.get("Sec-WebSocket-Version")
        if upgrade != "websocket" or version != "13" or not websocket.is_key(key) or request.body_exists:
            raise web.HTTPBadRequest(text="this is for WebSockets (RFC 6455) only\n", headers={"Sec-WebSocket-Version": "13"})
        address = self.address_of(request)
        leave = self._crowd.enter(address)
        if leave is None:
            raise web.HTTPTooManyRequests(text="too many connections from this address\n")
        try:
            transport = taken(request)
        except web.HTTPException:
            leave()
            raise
        transport.write(websocket.accept(key, m.PROTOCOL))
        self._connections.open(Socket, address, leave).start(transport)
        return web.Response()  # nobody gets it: the connection is not aiohttp's any more

    def address_of(self, request: web.Request) -> str:
        """The client's address: the last one in X-Forwarded-For that is not a trusted proxy of ours."""
        address = request.remote or ""
        hops = [h.strip() for h in ",".join(request.headers.getall("X-Forwarded-For", [])).split(",") if h.strip()]
        while hops and self._trusted(address):
            address = hops.pop()
        return address

    def _trusted(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._proxies)

    async def page(self, request: web.Request) -> web.StreamResponse:
        return self._file("index.html")

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A module may be imported by pages of `allowed_origins`: a browser asks for it with CORS. No other site gets one."""
        name = request.match_info["name"]
        answer = self._file(name)
        if name.endswith(".js"):
            answer.headers.update(self._origins.headers(request))
        return answer

    def _file(self, name: str) -> web.StreamResponse:
        path = self._folder / name
        if path.suffix not in TYPES or not path.is_file():
            raise web.HTTPNotFound(text="no such file\n")
        headers = {"Cache-Control": "no-cache", "Content-Type": f"{TYPES[path.suffix]}; charset=utf-8"}
        return web.FileResponse(path, headers=headers)

    async def healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(self, request: web.Request) -> web.Response:
        return web.Response(text="ready\n") if self._ready() else web.Response(text="not ready\n", status=503)

    async def _add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        for name, value in self._headers.items():
            response.headers.setdefault(name, value)


def security_headers(public_url: str) -> dict[str, str]:
    """A strict CSP: nothing inline, nothing from elsewhere."""
    url = urlsplit(public_url)
    socket = f"{'wss' if url.scheme == 'https' else 'ws'}://{url.netloc}"
    csp = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "media-src": "'self' blob: mediastream:",
        "connect-src": f"'self' {socket}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{k} {v}" for k, v in csp.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self)",
        "Cross-Origin-Opener-Policy": "same-origin",
        **({"Strict-Transport-Security": "max-age=31536000"} if url.scheme == "https" else {}),
    }
