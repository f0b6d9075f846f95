"""Who is let in: by which key and how often; who guesses is not looked at. DESIGN §2, §5."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jwt
import pytest

from jinglebridge.calls.people import UsedToken
from jinglebridge.config import Config, TokenKey, Tokens, Xmpp
from jinglebridge.errors import EndpointError
from jinglebridge.service.devices import Devices
from jinglebridge.service.door import FAILURES_WITHIN, MAX_FAILURES, Door
from jinglebridge.store.base import Store
from jinglebridge.store.memory import MemoryStore
from jinglebridge.store.sqlite import SqliteStore
from jinglebridge.web import messages as m
from jinglebridge.web.places import network_of
from jinglebridge.web.tokens import Identity
from tests.unit.fakes import DOMAIN, logged

SECRET, SHOP, CAFE = "s" * 40, "shop-" + "s" * 40, "cafe-" + "s" * 40
HERE = "192.0.2.1"


class House:
    """A door, and the time at it."""

    def __init__(self, store: Store | None = None) -> None:
        self.now = time.time()
        self.store = store or MemoryStore()
        keys = [TokenKey(secret=SHOP, prefix="shop-"), TokenKey(secret=CAFE, prefix="cafe")]
        config = Config(xmpp=Xmpp(domain=DOMAIN, secret="s"), tokens=Tokens(secret=SECRET, keys=keys))
        self.devices = Devices(self.store, DOMAIN, lambda: self.now)
        self.door = Door(config, self.store, self.devices, lambda: self.now)

    async def admit(self, address: str = HERE, **fields: Any) -> Identity:
        return await self.door.admit(m.Hello(id="h", version=1, **fields), address)

    async def code(self, address: str = HERE, **fields: Any) -> str:
        with pytest.raises(EndpointError) as caught:
            await self.admit(address, **fields)
        return caught.value.code


def signed(secret: str = SECRET, **claims: Any) -> str:
    return jwt.encode({"sub": "anna", "aud": DOMAIN, "exp": int(time.time()) + 60} | claims, secret, algorithm="HS256")


async def test_a_token_with_a_jti_is_good_once():
    house = House()
    token = signed(jti="1")
    assert (await house.admit(token=token)).user == "anna"
    assert await house.code(token=token) == "not-authorized"
    assert await house.code(token=signed(jti="1", exp=int(time.time()) + 90)) == "not-authorized"
    for other in (signed(jti="2"), signed(sub="bob", jti="1"), signed(SHOP, sub="shop-anna", jti="1"), signed(), signed()):
        await house.admit(token=other)
    (row, *_) = house.store.rows(UsedToken)
    assert len(row.hash) == 64 and "1" != row.hash, "only its hash is kept"


async def test_a_used_token_stays_used_over_a_restart_and_is_forgotten_when_it_has_expired(tmp_path: Path):
    token = signed(jti="1")
    store = SqliteStore(tmp_path / "db")
    await House(store).admit(token=token)
    store.close()
    again = House(SqliteStore(tmp_path / "db"))
    assert await again.code(token=token) == "not-authorized"
    again.door.sweep(time.time() + 60)
    assert await again.code(token=token) == "not-authorized", "it is still good for the leeway"
    again.door.sweep(time.time() + 100)
    again.store.close()
    store = SqliteStore(tmp_path / "db")
    assert store.rows(UsedToken) == []
    store.close()


@pytest.mark.parametrize("jti", ["", 7, ["1"], None])
async def test_a_jti_is_text(jti: Any):
    assert await House().code(token=signed(jti=jti)) == "not-authorized"


async def test_a_token_that_is_refused_is_not_used_up():
    house = House()
    assert await house.code(token=signed(sub="ｅｃｈｏ", jti="1")) == "not-authorized"
    assert house.store.rows(UsedToken) == []


async def test_a_confined_key_signs_no_other_spelling_either():
    """U+017F is an s for XMPP, and the name of somebody else for the key."""
    house = House()
    assert (await house.admit(token=signed(SHOP, sub="shop-\u017f"))).user == "shop-s"
    assert await house.code(token=signed(SHOP, sub="\u017fhop-anna")) == "not-authorized"
    assert await house.code(token=signed(SHOP, sub="anna")) == "not-authorized"
    assert (await house.admit(token=signed(CAFE, sub="cafe1"))).user == "cafe1"
    assert await house.code(token=signed(CAFE, sub="cafe\u0301")) == "not-authorized", "it begins with cafe only until it is composed"


async def test_names_that_stand_for_an_address_are_for_who_has_proved_it():
    house = House()
    assert await house.code(token=signed(sub="bob@im.test")) == await house.code(token=signed(sub="bob\\40im.test")) == "not-authorized"
    _, secret = house.devices.create("bob\\40im.test", "address", name="bob", contacts=["bob@im.test"])
    assert (await house.admit(device=secret)).user == "bob\\40im.test"
    _, forged = house.devices.create("bob\\40im.test", "operator")
    assert await house.code(device=forged) == "not-authorized"


async def test_guessing_has_an_end_and_hits_only_who_guesses():
    house = House()
    good = signed()
    _, device = house.devices.invite("anna")
    with logged() as lines:
        for i in range(MAX_FAILURES):
            fields = ({"token": good + "x"}, {"device": f"guess-{i}"})[i % 2]
            assert await house.code(**fields) == "not-authorized"
    assert HERE not in repr(lines) and "guess-" not in repr(lines) and good[:-8] not in repr(lines)
    for fields in ({"token": good}, {"device": device}, {"device": "guess"}, {"code": "x"}):
        assert await house.code(**fields) == "rate-limited", "right and wrong look alike"
    assert (await house.admit("192.0.2.2", token=good)).user == "anna"
    house.now += FAILURES_WITHIN
    house.door.sweep(house.now)
    assert (await house.admit(device=device)).user == "anna"


async def test_what_is_no_guess_does_not_count():
    house = House()
    for _ in range(2 * MAX_FAILURES):
        assert await house.code(token=signed(exp=int(time.time()) - 100)) == "token-expired"
        assert await house.code(resume=m.Resume(secret="x")) == await house.code() == "not-authorized"
    await house.admit(token=signed())


async def test_guessers_without_number_cost_little_memory():
    house = House()
    house.door._failures.names = 100
    for i in range(300):
        await house.code(f"192.0.{i // 250}.{i % 250}", device="x")
    assert len(house.door._failures.seen) == 100


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("", ""),
        ("nonsense", "nonsense"),
    ],
)
def test_whom_an_address_stands_for(address: str, network: str):
    assert network_of(address) == network
