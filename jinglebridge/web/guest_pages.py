"""HTTP of guest links: the page of a link, and what it may know of the link.

`GET /c/CODE` gives the same page for each code, and a status that tells machines whether the link is good. The page asks `POST /link`
with the code in the body, so that a link costs nothing to look at and nothing about it is in a page that is kept. Nothing is spent.

Spec: DESIGN §3 (HTTP); issue "People", item 4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec
from aiohttp import web

HEADERS = {"X-Robots-Tag": "noindex, nofollow", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
STATUS = {"unknown": 404, "expired": 410, "spent": 410, "busy": 429, "unusable": 503}
MAX_BODY = 1024
BODY_WITHIN = 10.0  # seconds that a request may take to come


class LinkView(msgspec.Struct, kw_only=True):
    """What anybody who has a link may know."""

    name: str  # whose it is
    label: str
    video: bool
    presence: str  # available, away, dnd, offline, or unknown: not shared


class LinkRefused(Exception):
    """`why`: unknown (also taken back), expired, spent, busy (too many guesses) or unusable (no TURN)."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Looker(Protocol):
    def look(self, code: str, address: str) -> LinkView:
        """Raises LinkRefused. `address`: the client's IP address, against guessing."""


class _Question(msgspec.Struct):
    code: str


_reader = msgspec.json.Decoder(_Question)


class GuestPages:
    """`page` is the file of the page, `address_of` the client's address, `check_origin` raises HTTPForbidden for other sites."""

    def __init__(
        self,
        links: Looker,
        page: Path,
        address_of: Callable[[web.Request], str],
        check_origin: Callable[[web.Request], None],
    ) -> None:
        self._links = links
        self._page = page
        self._address_of = address_of
        self._check_origin = check_origin

    def register(self, app: web.Application) -> None:
        app.router.add_get("/c/{code}", self.page)
        app.router.add_post("/link", self.link)

    async def page(self, request: web.Request) -> web.StreamResponse:
        status = 200
        try:
            self._links.look(request.match_info["code"], self._address_of(request))
        except LinkRefused as refused:
            status = STATUS[refused.why]
        return web.Response(text=self._page.read_text(encoding="utf-8"), status=status, content_type="text/html", headers=HEADERS)

    async def link(self, request: web.Request) -> web.Response:
        self._check_origin(request)
        try:
            async with asyncio.timeout(BODY_WITHIN):
                body = await request.content.readexactly(length) if 0 < (length := request.content_length or 0) <= MAX_BODY else b""
            code = _reader.decode(body).code
        except TimeoutError:
            raise web.HTTPRequestTimeout(text="the question took too long\n", headers=HEADERS) from None
        except (msgspec.DecodeError, UnicodeDecodeError, EOFError, RecursionError):
            raise web.HTTPBadRequest(text="not a question about a link\n", headers=HEADERS) from None
        try:
            view = self._links.look(code, self._address_of(request))
        except LinkRefused as refused:
            return _json(msgspec.json.encode({"error": refused.why}), STATUS[refused.why])
        return _json(msgspec.json.encode(view), 200)


def _json(body: bytes, status: int) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json", headers=HEADERS)
