"""The page of a link and the question about it, over HTTP: what they say, carry and never spend."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from jinglebridge.web.guest_pages import STATUS, LinkRefused, LinkView
from jinglebridge.web.server import WebServer


class Looker:
    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def look(self, code: str, address: str) -> LinkView:
        self.seen.append((code, address))
        if code in STATUS:
            raise LinkRefused(code)
        return LinkView(name="romeo", label="<b>Shop</b>", video=True, presence="unknown")


@pytest.fixture
async def site() -> AsyncIterator[tuple[TestClient[Any, Any], Looker]]:
    looker = Looker()
    server = WebServer(
        None, lambda: True, public_url="https://call.example.org", allowed_origins=[], trusted_proxies=[], sockets_per_ip=3, links=looker,  # type: ignore[arg-type]
    )  # fmt: skip
    client: TestClient[Any, Any] = TestClient(TestServer(server.app()))
    await client.start_server()
    yield client, looker
    await client.close()


@pytest.mark.parametrize(("code", "status"), [("good", 200), *STATUS.items()])
async def test_the_page_is_the_same_and_the_status_tells(site: tuple[TestClient[Any, Any], Looker], code: str, status: int):
    client, _ = site
    reply, good = await client.get(f"/c/{code}"), await client.get("/c/good")
    assert reply.status == status and await reply.text() == await good.text()
    headers = reply.headers
    assert headers["Referrer-Policy"] == "no-referrer" and "noindex" in headers["X-Robots-Tag"] and headers["Cache-Control"] == "no-store"
    assert "script-src 'self'" in headers["Content-Security-Policy"] and "text/html" in headers["Content-Type"]
    assert code not in (await reply.text()).split('"')


async def test_the_question(site: tuple[TestClient[Any, Any], Looker]):
    client, looker = site
    reply = await client.post("/link", data=json.dumps({"code": "good", "more": 1}))
    assert reply.status == 200 and await reply.json() == {"name": "romeo", "label": "<b>Shop</b>", "video": True, "presence": "unknown"}
    assert reply.headers["Cache-Control"] == "no-store" and looker.seen == [("good", "127.0.0.1")]
    for why, status in STATUS.items():
        reply = await client.post("/link", data=json.dumps({"code": why}))
        assert (reply.status, await reply.json()) == (status, {"error": why})


@pytest.mark.parametrize("body", ["", "x", "[]", "{}", '{"code": 1}', "[" * 900, json.dumps({"code": "x" * 2000}), b'{"code": "\xff"}'])
async def test_what_is_no_question(site: tuple[TestClient[Any, Any], Looker], body: str | bytes):
    client, looker = site
    assert (await client.post("/link", data=body)).status == 400 and looker.seen == []


async def test_other_sites_may_not_ask(site: tuple[TestClient[Any, Any], Looker]):
    client, looker = site
    reply = await client.post("/link", data='{"code": "good"}', headers={"Origin": "https://evil.example"})
    assert reply.status == 403 and looker.seen == []
    assert (await client.post("/link", data='{"code": "good"}', headers={"Origin": "https://call.example.org"})).status == 200
    assert (await client.get("/link")).status == 405
