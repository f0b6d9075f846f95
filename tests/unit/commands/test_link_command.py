"""`jinglebridge link`: with a running bridge by its socket, else in the store, never both at once."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from jinglebridge import cli
from jinglebridge.config import Policy
from jinglebridge.service.admin import AdminSocket
from jinglebridge.service.link_admin import carry_out
from jinglebridge.store import lock
from tests.unit.service.world import World


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("jinglebridge.log.configure", lambda level: None)  # it is for the whole process
    file = tmp_path / "bridge.toml"
    file.write_text(f'[xmpp]\ndomain = "call.im.test"\nsecret = "s"\n[store]\npath = "{tmp_path}/store"\n')
    return file


def link(config: Path, *words: str) -> int:
    return cli.main(["link", *words, "--config", str(config)])


def test_in_the_store(config: Path, capsys: pytest.CaptureFixture[str]):
    assert link(config, "create", "romeo@im.test", "--label", "Shop", "--days", "3", "--once", "--audio-only", "--presence") == 0
    url = capsys.readouterr().out.splitlines()[-1]
    assert url.startswith("http://127.0.0.1:8080/c/")
    assert link(config, "create", "juliet@im.test") == 0
    capsys.readouterr()
    assert link(config, "list", "romeo@im.test", "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["owner"], told["label"], told["once"], told["video"], told["presence"], told["problem"]) == (
        "romeo@im.test", "Shop", True, False, True, "",
    )  # fmt: skip
    assert "hash" not in told and url.rpartition("/")[2] not in json.dumps(told)
    assert link(config, "list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and "once, audio only, shows presence  Shop" in lines[0]
    assert link(config, "revoke", told["id"]) == 0 and link(config, "revoke", told["id"]) == 1
    assert "there is no link" in capsys.readouterr().err
    assert link(config, "list", "romeo@im.test") == 0 and capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("words", "why"),
    [(("romeo",), "not an address"), (("romeo@evil.test",), "[policy] servers"), (("romeo@im.test", "--days", "99"), "1 to 30 days")],
)
def test_what_cannot_be(config: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], why: str):
    assert link(config, "create", *words) == 1
    assert why in capsys.readouterr().err


def test_a_store_in_use_is_left_alone(config: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    taken = lock.take(tmp_path / "store")
    try:
        assert link(config, "list") == 1
        assert "another bridge" in capsys.readouterr().err
    finally:
        os.close(taken)


async def test_by_a_running_bridge(config: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    world: Any = World()
    world.ice.has_turn = True
    (tmp_path / "store").mkdir()
    admin = AdminSocket(tmp_path / "store" / "admin.sock", world)
    await admin.start()
    try:
        assert await asyncio.to_thread(link, config, "create", "romeo@im.test") == 0
        (made,) = world.reception.links.of("romeo@im.test")
        assert await asyncio.to_thread(link, config, "revoke", made.id) == 0 and world.reception.links.of() == []
        world.ice.has_turn = False
        assert await asyncio.to_thread(link, config, "create", "romeo@im.test") == 1
        assert "TURN" in capsys.readouterr().err
    finally:
        await admin.stop()


def test_config_may_stand_before_the_verb(config: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["link", "--config", str(config), "list"]) == 0
    assert cli.main(["link", "list"]) == 2 and "--config" in capsys.readouterr().err


async def test_what_is_no_request():
    links = World().reception.links
    assert not carry_out(links, {"do": "dance"})["ok"]
    wish = {"do": "create", "jid": "romeo@im.test", "label": "", "days": "x", "once": 0, "video": 0, "presence": 0}
    assert carry_out(links, wish)["error"]


async def test_a_link_that_tells_asks_its_owner_whoever_makes_it():
    """Else the bridge never sees whether they are available."""
    world = World()
    world.ice.has_turn = True
    wish = {"do": "create", "jid": "romeo@im.test", "label": "", "days": 1, "once": False, "video": True, "presence": False}
    assert carry_out(world.reception.links, wish)["ok"] and world.stanzas("presence") == []
    assert carry_out(world.reception.links, wish | {"presence": True})["ok"]
    (asked,) = world.stanzas("presence")
    assert (asked.get("type"), asked.get("to")) == ("subscribe", "romeo@im.test")


async def test_without_days_a_link_is_good_as_long_as_it_may_be():
    """The default must not be refused where the operator allows less."""
    links = World().reception.links
    links.has_turn = lambda: True
    wish = {"do": "create", "jid": "romeo@im.test", "label": "", "days": None, "once": False, "video": True, "presence": False}
    for most, days in ((30, 7), (3, 3), (0, 7)):
        links._policy = Policy(link_days=most)
        link = carry_out(links, wish)["link"]
        assert link["expires"] - link["created"] == days * 86400
