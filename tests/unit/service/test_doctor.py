"""What can be seen without a connection, and what each finding advises."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aioice.stun
import aioice.turn
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from jinglebridge.commands.operate import MARKS
from jinglebridge.config import Config, TokenKey, Tokens, Web, Xmpp
from jinglebridge.service import doctor
from jinglebridge.web import jwks
from jinglebridge.xmpp.extdisco import IceServer
from jinglebridge.xmpp.link import FATAL
from jinglebridge.xmpp.xep_0356 import Privileges

TOKENS = Tokens(secret="s" * 40)


def config(**sections: Any) -> Config:
    return Config(**({"xmpp": Xmpp(domain="call.test", secret="s"), "tokens": TOKENS} | sections))


def levels(checks: list[doctor.Check]) -> dict[str, str]:
    for check in checks:
        assert bool(check.advice) is (check.level != "good"), check
    return {c.name: c.level for c in checks}


def test_static_checks():
    https = Web(public_url="https://call.test")
    assert levels(doctor.static_checks(config(web=https))) == {"configuration": "good", "https": "good"}
    assert levels(doctor.static_checks(config())) == {"configuration": "good", "https": "warning"}
    assert levels(doctor.static_checks(config(web=https, tokens=Tokens())))["tokens"] == "warning"
    assert "users of test may call in" in doctor.static_checks(config())[0].text


class Bridge(SimpleNamespace):
    """As much of a bridge as the checks look at."""

    def __init__(
        self, *, ready: bool = True, answer: Any = (None, "timeout"), turn: bool = False, problem: str | None = None, given: Any = ()
    ) -> None:
        async def get(*_: object) -> Any:
            return answer

        async def servers(jid: str) -> list[IceServer]:
            return [IceServer(("stun:s",)), *given]

        super().__init__(
            link=SimpleNamespace(ready=ready), requests=SimpleNamespace(get=get), config=config(),
            ice=SimpleNamespace(servers=servers, has_turn=turn, problem=problem), privileges=Privileges("test"),
        )  # fmt: skip


def test_the_self_check():
    assert doctor.self_check(Bridge()).level == "good"  # type: ignore[arg-type]
    bad = doctor.self_check(Bridge(ready=False))  # type: ignore[arg-type]
    assert bad.level == "bad" and "stop the other bridge" in bad.advice


@pytest.mark.parametrize(("bridge", "level", "word"), [
    (Bridge(turn=True), "good", "TURN among them"), (Bridge(), "warning", "offers no TURN"),
    (Bridge(problem="forbidden"), "warning", "forbidden"),
])  # fmt: skip
async def test_stun_and_turn(bridge: Any, level: str, word: str):
    (check,) = await doctor.stun_turn(bridge)
    assert check.level == level and re.search(word, check.text) and bool(check.advice) is (level != "good")


async def test_the_server():
    import xml.etree.ElementTree as ET

    query = ET.fromstring("<query><identity category='server' type='im' name='ejabberd'/></query>")
    good = await doctor.server_info(Bridge(answer=(query, None)))  # type: ignore[arg-type]
    assert (good.level, good.text) == ("good", "test answers as ejabberd")
    bad = await doctor.server_info(Bridge())  # type: ignore[arg-type]
    assert bad.level == "bad" and "timeout" in bad.text and "[xmpp] server" in bad.advice
    assert bad.to_dict()["level"] == "bad"
    await asyncio.sleep(0)


async def test_credentials_that_end_before_a_call_may():
    turn = IceServer(("turn:127.0.0.1:1?transport=tcp",), "u", "p", 3600)
    good, short, closed = await doctor.stun_turn(Bridge(turn=True, given=(turn,)))  # type: ignore[arg-type]
    assert good.level == "good" and short.level == "warning"
    assert "live 3600 s, but a call may take 43140 s" in short.text and "[limits] call = 3540" in short.advice
    assert (closed.name, closed.level) == ("relay turn:127.0.0.1:1/tcp", "bad") and "cannot be used" in closed.text and closed.advice


@pytest.mark.parametrize(("url", "address"), [
    ("turn:t.example:3479?transport=udp", ("turn", "t.example", 3479, "udp")),
    ("turn:t.example", ("turn", "t.example", 3478, "udp")),
    ("turns:t.example?transport=tcp", ("turns", "t.example", 5349, "tcp")),
    ("turn:[2001:db8::1]:3478?transport=tcp", ("turn", "2001:db8::1", 3478, "tcp")),
])  # fmt: skip
def test_addresses_of_relays(url: str, address: Any):
    assert doctor._turn_address(url) == address


def test_privileges():
    bridge = Bridge()
    assert "none granted" in doctor.privileges(bridge).text  # type: ignore[arg-type]
    bridge.privileges.granted = {"roster": "both", "message": "outgoing"}
    assert doctor.privileges(bridge).text == "granted by the server: message (outgoing), roster (both)"  # type: ignore[arg-type]


async def test_key_sets_of_sites(tmp_path: Path):
    good, empty = tmp_path / "good.json", tmp_path / "empty.json"
    key = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048).public_key(), as_dict=True)
    good.write_text(json.dumps({"keys": [key, key | {"kid": "k2"}]}))
    empty.write_text('{"keys": []}')
    places = [str(good), str(empty), str(tmp_path / "none.json"), "http://127.0.0.1:9/keys"]
    tokens = Tokens(secret="s" * 32, keys=[TokenKey(jwks=place) for place in places])
    checks = await doctor.key_sets(config(tokens=tokens))
    assert [c.level for c in checks] == ["good", "bad", "bad", "bad"] and all(c.advice for c in checks[1:])
    assert checks[0].text == "without kid (RS256), k2 (RS256)" and "No such file" in checks[2].text
    assert await doctor.key_sets(config(tokens=Tokens(secret="s" * 32))) == []


async def test_the_page_on_the_doctor_says_what_it_says(monkeypatch: pytest.MonkeyPatch):
    """Each set-up that docs/how-to/doctor.md shows, by the code that examines it: line for line."""
    page = (Path(__file__).parents[3] / "docs/how-to/doctor.md").read_text(encoding="utf-8")
    shown = re.findall(r"^(?:ok  |WARN|FAIL)  .+(?:\n      → .+)?", page, re.M)

    async def refused(*_: object, **__: object) -> Any:
        response = aioice.stun.Message(aioice.stun.Method.ALLOCATE, aioice.stun.Class.ERROR)
        response.attributes["ERROR-CODE"] = (401, "Unauthorized")
        raise aioice.stun.TransactionFailed(response)

    async def closed(*_: object, **__: object) -> Any:
        raise ConnectionRefusedError(111, "Connect call failed ('203.0.113.5', 3478)")

    async def answers(url: str) -> bytes:
        raise jwks.Unusable("status 404")

    async def turn(url: str, does: Any) -> list[doctor.Check]:
        monkeypatch.setattr(aioice.turn, "create_turn_endpoint", does)
        bridge: Any = Bridge(turn=True)
        bridge.ice.servers = lambda jid: asyncio.sleep(0, [IceServer((url,), "u", "p", 86400)])
        return await doctor.stun_turn(bridge)

    monkeypatch.setattr(jwks, "fetch", answers)
    wrong = Bridge(answer=(None, "not-allowed"), problem="not-allowed")
    wrong.config = config(xmpp=Xmpp(domain="call.test", secret="s", server="wrong.example"))
    site = config(tokens=Tokens(keys=[TokenKey(jwks="https://club.example.org/jwks.json")]))
    found = [
        doctor.Check("connection", "bad", FATAL["not-authorized"].format(domain="call.example.org")),
        await doctor.server_info(wrong),  # type: ignore[arg-type]
        *await doctor.stun_turn(wrong),  # type: ignore[arg-type]
        *await doctor.stun_turn(Bridge(problem="service-unavailable")),  # type: ignore[arg-type]
        *await turn("turn:turn.example.org:3478?transport=udp", refused),
        *await turn("turn:turn.example.org:3478?transport=tcp", closed),
        *(check for check in doctor.static_checks(config(tokens=Tokens())) if check.name == "tokens"),
        *await doctor.key_sets(site),
    ]
    printed = [f"{MARKS[c.level]}  {c.name}: {c.text}" + (f"\n      → {c.advice}" if c.advice else "") for c in found]
    broken = shown[shown.index(printed[0]) :]
    assert printed == broken
