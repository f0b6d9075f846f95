"""Pages of which sites may use the bridge, and what a browser must be told for that.

Spec: DESIGN §5; J-251; WHATWG Fetch §3.2, §3.3.
"""

from __future__ import annotations

import structlog
from aiohttp import web

log = structlog.get_logger()


class Origins:
    """The bridge's own site, and those of `[web] allowed_origins`. Cookies play no part, so none are allowed across sites."""

    def __init__(self, public_url: str, allowed: list[str]) -> None:
        self._others = {origin_of(url) for url in allowed}
        self._all = {origin_of(public_url), *self._others}

    def check(self, request: web.Request) -> None:
        """Raises HTTPForbidden for a page of another site."""
        origin = request.headers.get("Origin")
        if origin is not None and origin_of(origin) not in self._all:
            shown = origin[:200].encode("ascii", "replace").decode()  # it may be anything
            log.warning("origin-refused", origin=shown)
            raise web.HTTPForbidden(text=f"the origin {shown} is not allowed here: see [web] public_url and allowed_origins\n")

    def headers(self, request: web.Request) -> dict[str, str]:
        """Of an answer that pages of the other allowed sites may read; no other site gets one."""
        if not self._others:
            return {}
        origin = origin_of(request.headers.get("Origin", ""))
        return {"Vary": "Origin"} | ({"Access-Control-Allow-Origin": origin} if origin in self._others else {})


def origin_of(url: str) -> str:
    """An origin as browsers write it: lower case, without the default port."""
    scheme, _, rest = url.strip().rstrip("/").lower().partition("://")
    default = {"https": ":443", "http": ":80"}.get(scheme, "")
    return f"{scheme}://{rest.removesuffix(default)}"
