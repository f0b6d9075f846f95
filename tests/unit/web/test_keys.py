"""Which key a token may use: by what the key is, never by what the token says; sets of public keys that change. RFC 8725; DESIGN §2 (a)."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import example, given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from jinglebridge.errors import EndpointError
from jinglebridge.web import jwks
from jinglebridge.web.jwks import KeySet, Unusable, parse
from jinglebridge.web.keys import Keys, Secret
from tests.unit.fakes import logged, until

AUDIENCE = "call.test"
RSA, RSA2, WEAK = (rsa.generate_private_key(65537, bits) for bits in (2048, 2048, 1024))
EC, P384, ED = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()


def claims(**more: Any) -> dict[str, Any]:
    return {"sub": "anna", "aud": AUDIENCE, "exp": int(time.time()) + 60} | more


def entry(private: Any, kid: str = "", **more: Any) -> dict[str, Any]:
    public = private.public_key()
    kind = (
        RSAAlgorithm
        if isinstance(private, rsa.RSAPrivateKey)
        else ECAlgorithm
        if isinstance(private, ec.EllipticCurvePrivateKey)
        else OKPAlgorithm
    )
    made: dict[str, Any] = json.loads(kind.to_jwk(public))
    made.pop("key_ops", None)
    return made | ({"kid": kid} if kid else {}) | more


def key_set(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"keys": entries}).encode()


def signed(private: Any, algorithm: str, kid: str | None = None, **more: Any) -> str:
    return jwt.encode(claims(**more), private, algorithm=algorithm, headers={"kid": kid} if kid else None)


async def code(keys: Keys, token: str) -> str:
    with pytest.raises(EndpointError) as caught:
        await keys.verify(token)
    assert len(token) < 8 or token not in str(caught.value)
    return f"{caught.value.code}: {caught.value}"


class Site:
    """Serves `body`; `asked` counts."""

    def __init__(self) -> None:
        self.body, self.status, self.asked, self.headers = b"", 200, 0, {}
        self.wait = asyncio.Event()
        self.wait.set()

    async def get(self, request: web.Request) -> web.Response:
        self.asked += 1
        await self.wait.wait()
        return web.Response(body=self.body, status=self.status, headers=self.headers)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    app = web.Application()
    app.router.add_get("/keys", made.get)
    server = TestServer(app)
    await server.start_server()
    made.url = str(server.make_url("/keys"))  # type: ignore[attr-defined]
    yield made
    made.wait.set()
    await server.close()


def of(site: Site, prefix: str = "") -> Keys:
    return Keys([KeySet(site.url, prefix)], AUDIENCE)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("private", "algorithm"), [(RSA, "RS256"), (EC, "ES256"), (ED, "EdDSA")], ids=["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("kid", ["k1", None])
async def test_public_keys_of_a_url(site: Site, private: Any, algorithm: str, kid: str | None):
    site.body = key_set(entry(private, "k1"), entry(RSA2, "k2"))
    keys = of(site)
    token, prefix = await keys.verify(signed(private, algorithm, kid))
    assert (token.identity.user, prefix, site.asked) == ("anna", "", 1)
    assert "token-expired" in await code(keys, signed(private, algorithm, kid, exp=int(time.time()) - 100))
    assert "not-authorized" in await code(keys, signed(private, algorithm, kid, aud="other.test"))


async def test_algorithm_confusion_and_none(site: Site):
    """A public key is no secret, in whatever form somebody takes its text for one."""
    site.body = key_set(entry(RSA, "k1"), entry(ED, "k2"))
    keys = Keys([KeySet(site.url), Secret("s" * 40)], AUDIENCE)  # type: ignore[attr-defined]
    public = RSA.public_key()
    pem, der = serialization.Encoding.PEM, serialization.Encoding.DER
    spki, pkcs1 = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1
    forms = [public.public_bytes(e, f) for e, f in ((pem, spki), (pem, pkcs1), (der, spki), (der, pkcs1))]
    forms += [json.dumps(entry(RSA, "k1")).encode(), str(entry(RSA)["n"]).encode()]
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")  # noqa: E731
    for form in forms:
        for header in ({"alg": "HS256", "kid": "k1"}, {"alg": "HS256"}):
            text = part(header) + b"." + part(claims())
            mac = base64.urlsafe_b64encode(hmac.digest(form, text, "sha256")).rstrip(b"=")
            assert "not-authorized" in await code(keys, (text + b"." + mac).decode())
    for alg in ("none", "None", "", "HS512", "RS512", "PS256"):
        text = (part({"alg": alg, "kid": "k1"}) + b"." + part(claims()) + b".").decode()
        assert "not-authorized" in await code(keys, text)
    assert "not-authorized" in await code(keys, signed(RSA2, "RS256", "k1"))
    assert "not-authorized" in await code(keys, signed(ED, "EdDSA", "k1"))
    assert site.asked == 1


@pytest.mark.parametrize("header", [{"crit": ["b64"], "b64": False}, {"kid": 7}, {"jku": "https://evil.test/keys"}, {"jwk": entry(RSA2)}])
async def test_keys_and_extensions_that_a_token_brings_along_do_not_count(site: Site, header: dict[str, Any]):
    site.body = key_set(entry(RSA))
    token = jwt.encode(claims(), RSA2, algorithm="RS256")
    part = base64.urlsafe_b64encode(json.dumps({"alg": "RS256"} | header).encode()).rstrip(b"=").decode()
    body = token.split(".")[1]
    signature = base64.urlsafe_b64encode(RSAAlgorithm(RSAAlgorithm.SHA256).sign(f"{part}.{body}".encode(), RSA2)).rstrip(b"=").decode()
    assert "not-authorized" in await code(of(site), f"{part}.{body}.{signature}")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "....", "é.é.é", "W10.e30.", "[" * 8000])
async def test_junk(site: Site, token: str):
    assert "not-authorized" in await code(of(site), token)
    assert "not-authorized" in await code(Keys([], AUDIENCE), token)
    assert site.asked == 0, "nobody makes the bridge fetch with what is no token"


async def test_rotation(site: Site, monkeypatch: pytest.MonkeyPatch):
    """A key that is new is found at once, but not more often than every thirty seconds; one that was taken out goes away by itself."""
    site.body = key_set(entry(RSA, "old"))
    keys = of(site)
    await keys.verify(signed(RSA, "RS256", "old"))
    site.body = key_set(entry(RSA, "old"), entry(RSA2, "new"))
    for _ in range(5):
        assert "not-authorized" in await code(keys, signed(RSA2, "RS256", "new"))
    assert site.asked == 1
    monkeypatch.setattr(jwks, "REFETCH_EVERY", 0.0)
    await keys.verify(signed(RSA2, "RS256", "new"))
    assert site.asked == 2
    site.body = key_set(entry(RSA2, "new"))
    await keys.verify(signed(RSA, "RS256", "old"))
    assert site.asked == 2, "the set is not old yet"
    monkeypatch.setattr(jwks, "MAX_AGE", 0.0)
    assert "not-authorized" in await code(keys, signed(RSA, "RS256", "old"))
    await keys.verify(signed(RSA2, "RS256", "new"))


async def test_many_at_once_fetch_once(site: Site):
    site.body = key_set(entry(RSA, "k"))
    site.wait.clear()
    keys = of(site)
    asked = [asyncio.create_task(keys.verify(signed(RSA, "RS256", "k"))) for _ in range(20)]
    await until(lambda: site.asked)
    site.wait.set()
    assert {token.identity.user for token, _ in await asyncio.gather(*asked)} == {"anna"} and site.asked == 1


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        (b"{" + b" " * jwks.MAX_SIZE + b"}", 200, "bytes"),
        (b"x" * (3 * jwks.MAX_SIZE), 200, "bytes"),
        (b"<html>", 200, "not JSON"),
        (b"\xff\xfe", 200, "not JSON"),
        (b"[" * 60000, 200, "not JSON"),
        (b"[]", 200, "not a set"),
        (b'{"keys": {}}', 200, "not a set"),
        (json.dumps({"keys": [{}] * 33}).encode(), 200, "not a set"),
        (b"", 500, "status 500"),
        (b"", 302, "status 302"),
    ],
)
async def test_a_set_that_cannot_be_used_leaves_the_last_one_in_force_for_a_while(
    site: Site, monkeypatch: pytest.MonkeyPatch, body: bytes, status: int, why: str
):
    monkeypatch.setattr(jwks, "REFETCH_EVERY", 0.0)
    good = key_set(entry(RSA, "k"))
    keys, token = of(site), signed(RSA, "RS256", "k")
    site.body, site.status, site.headers = body, status, {"Location": site.url} if status == 302 else {}  # type: ignore[attr-defined]
    with logged() as lines:
        assert "not-authorized" in await code(keys, token)
    assert why in lines[0]["error"] and lines[0]["event"] == "token-keys-not-read"
    site.body, site.status = good, 200
    await keys.verify(token)
    monkeypatch.setattr(jwks, "MAX_AGE", 0.0)
    site.body, site.status = body, status
    await keys.verify(token)
    monkeypatch.setattr(jwks, "MAX_STALE", 0.0)
    assert "not-authorized" in await code(keys, token)


async def test_an_endpoint_that_is_slow_or_down(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jwks, "FETCH_TIMEOUT", 0.05)
    site.wait.clear()
    keys = of(site)
    began = time.monotonic()
    assert "not-authorized" in await code(keys, signed(RSA, "RS256", "k"))
    assert "not-authorized" in await code(keys, signed(RSA, "RS256", "k"))
    assert time.monotonic() - began < 2 and site.asked == 1
    down = Keys([KeySet("http://127.0.0.1:9/keys")], AUDIENCE)
    assert "not-authorized" in await code(down, signed(RSA, "RS256", "k"))


async def test_a_slow_site_does_not_hold_up_the_users_of_another(site: Site, tmp_path: Path):
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(entry(RSA, "k")))
    keys = Keys([KeySet(site.url), KeySet(str(path))], AUDIENCE)  # type: ignore[attr-defined]
    await keys.verify(signed(RSA, "RS256", "k"))
    site.wait.clear()
    stuck = asyncio.create_task(keys.verify(signed(RSA2, "RS256", "unknown")))
    async with asyncio.timeout(2):
        await keys.verify(signed(RSA, "RS256", "k"))
    site.wait.set()
    with pytest.raises(EndpointError):
        await stuck


async def test_a_packed_answer_is_not_unpacked(site: Site):
    site.body, site.headers = gzip.compress(key_set(entry(RSA))), {"Content-Encoding": "gzip"}
    assert "not-authorized" in await code(of(site), signed(RSA, "RS256"))


async def test_a_file_is_read_again_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "keys.json"
    keys = Keys([KeySet(str(path))], AUDIENCE)
    old, new = signed(RSA, "RS256", "old"), signed(RSA2, "RS256", "new")
    assert "not-authorized" in await code(keys, old)
    path.write_bytes(key_set(entry(RSA, "old")))
    await keys.verify(old)
    await keys.verify(old)
    path.write_bytes(key_set(entry(RSA2, "new"), entry(ED, "more")))
    await keys.verify(new)
    assert "not-authorized" in await code(keys, old)
    path.write_text("half of a fi")
    await keys.verify(new)
    path.unlink()
    await keys.verify(new)
    monkeypatch.setattr(jwks, "REFETCH_EVERY", 0.0)
    monkeypatch.setattr(jwks, "MAX_STALE", 0.0)
    assert "not-authorized" in await code(keys, new)


def test_what_a_set_may_hold():
    """Only public keys for signatures, of the kinds that are used, strong enough; everything else is left out and logged."""
    secret: dict[str, Any] = {"kty": "oct", "k": base64.urlsafe_b64encode(b"s" * 40).decode(), "kid": "s", "alg": "HS256"}
    private = json.loads(RSAAlgorithm.to_jwk(RSA))
    odd: list[Any] = [
        secret, private, entry(WEAK), entry(P384), entry(RSA, use="enc"), entry(RSA, alg="RS512"), entry(RSA, kid=7), entry(RSA, n=""),
        entry(RSA, n=5), entry(EC, x="AA"), entry(EC, y=None), entry(ED, x="AA"), {"kty": "RSA"}, {"kty": ["RSA"]}, {}, 7, None, [],
    ]  # fmt: skip
    assert parse(json.dumps({"keys": odd}).encode()) == []
    good = parse(json.dumps({"keys": [*odd, entry(RSA, alg="RS256"), entry(EC, "e", use="sig"), entry(ED, "d")], "more": 1}).encode())
    assert [(key.algorithm, key.id) for key in good] == [("RS256", ""), ("ES256", "e"), ("EdDSA", "d")]
    with pytest.raises(Unusable):
        parse(b"x" * (jwks.MAX_SIZE + 1))


async def test_keys_are_confined_to_their_names(site: Site):
    site.body = key_set(entry(RSA, "k"))
    shop, club = "shop-" + "s" * 40, "club-" + "s" * 40
    keys = Keys([Secret("m" * 40), Secret(shop, "shop-"), Secret(club, "club-"), KeySet(site.url, "lab-")], AUDIENCE)  # type: ignore[attr-defined]
    sign = lambda secret, sub: jwt.encode(claims(sub=sub), secret, algorithm="HS256")  # noqa: E731
    for secret, sub, prefix in (
        ("m" * 40, "shop-anna", ""),
        (shop, "shop-anna", "shop-"),
        (shop, "SHOP-anna", "shop-"),
        (club, "club-1", "club-"),
    ):
        token, found = await keys.verify(sign(secret, sub))
        assert (token.identity.user, found) == (sub.lower(), prefix)
    assert (await keys.verify(signed(RSA, "RS256", "k", sub="lab-1")))[1] == "lab-"
    for secret, sub in ((shop, "anna"), (shop, "club-anna"), (club, "shop-anna"), (shop, "shop"), (shop, "ｓhop-anna")):
        assert "signs only names" in await code(keys, sign(secret, sub))
    assert "signs only names" in await code(keys, signed(RSA, "RS256", "k", sub="anna"))
    assert "not signed with a key" in await code(keys, sign("x" * 40, "anna"))


async def test_a_secret_is_changed_without_a_gap():
    keys = Keys([Secret("o" * 40), Secret("n" * 40)], AUDIENCE)
    for secret in ("o" * 40, "n" * 40):
        assert (await keys.verify(jwt.encode(claims(jti="1"), secret, algorithm="HS256", headers={"kid": "whatever"})))[0].id == "1"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["AQAB", "AA", "", "P-256", "RSA"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
GOOD = [entry(RSA, "k"), entry(EC, "e"), entry(ED, "d"), json.loads(RSAAlgorithm.to_jwk(RSA))]


@given(
    st.sampled_from(GOOD), st.dictionaries(st.sampled_from(["kty", "crv", "n", "e", "x", "y", "d", "p", "kid", "use", "alg", "oth"]), JSON)
)
@example(GOOD[1], {"x": "AAAA" * 10_000})
@example(GOOD[0], {"n": "AA" * 30_000})
@example(GOOD[0], {"e": "AQ"})
@example(GOOD[0], {"e": "AAAA"})
def test_keys_of_any_shape_are_read_or_left_out(good: dict[str, Any], changed: dict[str, Any]):
    for key in parse(key_set(good | changed)):
        assert key.algorithm in jwks.PUBLIC and isinstance(key.id, str)
