"""HTTP of the proof of an address: JSON in, JSON out, and not for other sites."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from jinglebridge.errors import EndpointError
from jinglebridge.web.proofs import Answer, Begun
from jinglebridge.web.server import WebServer
from tests.unit.fakes import logged
from tests.unit.web.test_server import ClosedGate

JSON = {"Content-Type": "application/json"}


class FakeDesk:
    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.error: Exception | None = None

    def begin(self, jid: str, label: str, address: str) -> Begun:
        self.asked.append((jid, label, address))
        if self.error is not None:
            raise self.error
        return Begun(proof="handle", words="AAAA-BBBB", expires=300)

    async def answer(self, handle: str, code: str | None) -> Answer:
        self.asked.append((handle, code))
        return Answer(state="confirmed", device="d") if code else Answer(state="waiting")


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
async def client(desk: FakeDesk) -> AsyncIterator[TestClient[Any, Any]]:
    server = WebServer(
        ClosedGate(), lambda: True, public_url="https://call.test", allowed_origins=[], trusted_proxies=["127.0.0.1"], sockets_per_ip=3,
        desk=desk,
    )  # type: ignore[arg-type]  # fmt: skip
    made: TestClient[Any, Any] = TestClient(TestServer(server.app()))
    await made.start_server()
    yield made
    await made.close()


async def test_a_proof_from_begin_to_end(client: TestClient[Any, Any], desk: FakeDesk):
    headers = {"Origin": "https://call.test", "X-Forwarded-For": "192.0.2.7"}
    begun = await client.post("/proof", json={"jid": "anna@im.test", "label": "Firefox", "more": 1}, headers=headers)
    assert begun.status == 200 and await begun.json() == {"proof": "handle", "words": "AAAA-BBBB", "expires": 300}
    assert begun.headers["Cache-Control"] == "no-store" and "Content-Security-Policy" in begun.headers
    waiting = await client.post("/proof/answer", json={"proof": "handle"}, headers=headers)
    assert await waiting.json() == {"state": "waiting"}
    done = await client.post("/proof/answer", json={"proof": "handle", "code": "1"}, headers=headers)
    assert await done.json() == {"state": "confirmed", "device": "d"}
    assert desk.asked == [("anna@im.test", "Firefox", "192.0.2.7"), ("handle", None), ("handle", "1")]


@pytest.mark.parametrize("path", ["/proof", "/proof/answer"])
async def test_other_sites_and_forms_are_refused(client: TestClient[Any, Any], desk: FakeDesk, path: str):
    body = b'{"jid": "anna@im.test", "proof": "handle"}'
    for origin in ("https://evil.test", "null", "http://call.test"):
        answer = await client.post(path, data=body, headers={"Origin": origin, **JSON})
        assert answer.status == 403
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = await client.post(path, data=body, headers={"Content-Type": kind})
        assert (answer.status, (await answer.json())["code"]) == (400, "bad-frame")
    assert (await client.get(path)).status == 405 and (await client.options(path, headers={"Origin": "https://evil.test"})).status == 405
    assert desk.asked == []


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"[]", b"{}", b'{"jid": 7, "proof": 7}', b'{"jid": "", "proof": null}', b"\xff", b"[" * 50000,
     b'{"jid": "%s", "proof": "%s"}' % ((b"a" * 4000,) * 2), b'{"jid": "a@b", "proof": "h", "label": 1, "code": 1}'],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/proof", "/proof/answer"])
async def test_what_cannot_be_read(client: TestClient[Any, Any], desk: FakeDesk, path: str, body: bytes):
    answer = await client.post(path, data=body, headers=JSON)
    assert answer.status == 400 and (await answer.json())["code"] == "bad-frame" and desk.asked == []


async def test_a_huge_body(client: TestClient[Any, Any], desk: FakeDesk):
    answer = await client.post("/proof", data=b"x" * 100_000, headers=JSON)
    assert answer.status == 413 and desk.asked == []


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (EndpointError("forbidden", "no"), 403, "forbidden"),
        (EndpointError("rate-limited", "no"), 429, "rate-limited"),
        (EndpointError("unavailable", "no"), 503, "unavailable"),
        (EndpointError("unknown-contact", "no"), 400, "unknown-contact"),
        (ValueError("a bug"), 500, "internal"),
    ],
)
async def test_errors(client: TestClient[Any, Any], desk: FakeDesk, error: Exception, status: int, code: str):
    desk.error = error
    with logged() as lines:
        answer = await client.post("/proof", json={"jid": "anna@im.test"})
    told = await answer.json()
    assert (answer.status, told["code"]) == (status, code) and "a bug" not in told["message"]
    assert bool(lines) == (code == "internal")


async def test_where_nothing_can_be_proved():
    server = WebServer(ClosedGate(), lambda: True, public_url="https://c.test", allowed_origins=[], trusted_proxies=[], sockets_per_ip=1)  # type: ignore[arg-type]
    client: TestClient[Any, Any] = TestClient(TestServer(server.app()))
    await client.start_server()
    assert (await client.post("/proof", json={"jid": "a@b"})).status == 404
    await client.close()
