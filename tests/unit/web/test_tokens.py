"""Who may connect: HS256 tokens, and the names nobody may have. J-242; DESIGN §2 (a)."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest

from jinglebridge.errors import EndpointError
from jinglebridge.web import tokens

SECRET, AUDIENCE = "s" * 40, "call.test"


def signed(**claims: Any) -> str:
    base = {"sub": "anna", "aud": AUDIENCE, "exp": int(time.time()) + 60}
    return jwt.encode({k: v for k, v in (base | claims).items() if v is not None}, SECRET, algorithm="HS256")


def code(token: str, secret: str = SECRET) -> str:
    with pytest.raises(EndpointError) as caught:
        tokens.verify(token, secret, AUDIENCE)
    assert token not in str(caught.value) and secret not in str(caught.value)
    return caught.value.code


def test_what_is_created_is_accepted():
    made = tokens.create(SECRET, "Anna B", AUDIENCE, name="Anna", contacts=["bob@im.test"], may_call=["*"])
    identity = tokens.verify(made, SECRET, AUDIENCE).identity
    assert identity == tokens.Identity("anna\\20b", "Anna", ("bob@im.test",), ("*",)) and identity.anyone
    plain = tokens.verify(tokens.create(SECRET, "anna", AUDIENCE, lifetime=9999), SECRET, AUDIENCE).identity
    assert plain == tokens.Identity("anna", "anna", named=False) and not plain.anyone


@pytest.mark.parametrize("name", ["a@b", "guest-1", "Guest-1", "echo", "ECHO", "self-check", "probe", "", " ", "a\\40b", "x\n"])
def test_reserved_names_are_refused_both_ways(name: str):
    for attempt in (lambda: tokens.create(SECRET, name, AUDIENCE), lambda: tokens.verify(signed(sub=name), SECRET, AUDIENCE)):
        with pytest.raises(EndpointError) as caught:
            attempt()
        assert caught.value.code == "not-authorized"


@pytest.mark.parametrize("claim", ["sub", "aud", "exp"])
def test_required_claims(claim: str):
    assert code(signed(**{claim: None})) == "not-authorized"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "other.test"},
        {"exp": int(time.time()) + 3600},
        {"exp": "soon"},
        {"sub": 7},
        {"sub": ["anna"]},
        {"name": 7},
        {"contacts": "bob@im.test"},
        {"contacts": [7]},
        {"contacts": [""]},
        {"contacts": ["a@b"] * 1001},
        {"may_call": {"*": True}},
        {"nbf": int(time.time()) + 3600},
    ],
)
def test_claims_of_the_wrong_kind(claims: dict[str, Any]):
    assert code(signed(**claims)) == "not-authorized"


def test_time_has_a_leeway_of_thirty_seconds():
    now = int(time.time())
    tokens.verify(signed(exp=now - 20), SECRET, AUDIENCE)
    tokens.verify(signed(exp=now + 320), SECRET, AUDIENCE)
    tokens.verify(signed(exp=str(now + 60)), SECRET, AUDIENCE)
    assert code(signed(exp=now - 40)) == "token-expired"
    assert code(signed(exp=now + 340)) == "not-authorized"


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é.é.é", signed() + "x", signed().rpartition(".")[0] + "."])
def test_forgeries(token: str):
    with pytest.raises(EndpointError) as caught:
        tokens.verify(token, SECRET, AUDIENCE)
    assert caught.value.code == "not-authorized"


def test_other_algorithms_and_secrets_are_not_taken():
    claims = {"sub": "anna", "aud": AUDIENCE, "exp": int(time.time()) + 60}
    assert code(jwt.encode(claims, None, algorithm="none")) == "not-authorized"
    assert code(jwt.encode(claims, SECRET * 2, algorithm="HS512")) == "not-authorized"
    assert code(signed(), "t" * 40) == "not-authorized"


def test_texts_are_cut_and_cleaned():
    identity = tokens.verify(signed(name="\ud800" + "n" * 500, contacts=["b\ud800@x"]), SECRET, AUDIENCE).identity
    assert identity.name == "n" * 127 and identity.contacts == ("b@x",)
    assert tokens.verify(signed(name="\x00"), SECRET, AUDIENCE).identity.name == "anna"
