"""`jinglebridge token create --device` and `devices`, with and without a bridge that runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from jinglebridge import cli
from jinglebridge.commands import devices as command
from jinglebridge.service.devices import Devices
from jinglebridge.store import lock
from jinglebridge.store.sqlite import SqliteStore

CONFIG = '[xmpp]\ndomain = "c.test"\nsecret = "s"\n[store]\npath = "store"\n[web]\npublic_url = "https://c.test"\n'


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, as an operator does."""
    (folder / "c.toml").write_text(CONFIG.replace('"store"', json.dumps(str(folder / "store"))))
    words = (*words, "--config", str(folder / "c.toml"))
    return subprocess.run([sys.executable, "-m", "jinglebridge", *words], capture_output=True, text=True, timeout=60, check=False)


def test_without_a_bridge_the_store_is_written(tmp_path: Path):
    made = run(tmp_path, "token", "create", "Anna", "--device", "--link", "--label", "at home", "--contact", "bob@im.test")
    assert made.returncode == 0 and made.stderr == "" and made.stdout.startswith("https://c.test/#device=")
    (listed,) = json.loads(run(tmp_path, "devices", "anna", "--json").stdout)
    assert (listed["user"], listed["label"], listed["by"]) == ("anna", "at home", "operator")
    store = SqliteStore(tmp_path / "store/jinglebridge.db")
    found = Devices(store, "c.test", time.time).admit(made.stdout.strip().partition("=")[2])
    store.close()
    assert found.contacts == ("bob@im.test",) and found.way == f"device:{listed['id']}"
    table = run(tmp_path, "devices").stdout.splitlines()
    assert len(table) == 2 and table[1].split()[:2] == [listed["id"], "anna"] and table[1].endswith("at home")
    assert run(tmp_path, "devices", "revoke", listed["id"]).stdout == f"{listed['id']} is signed out\n"
    again = run(tmp_path, "devices", "revoke", listed["id"])
    assert again.returncode == 1 and "no such device" in again.stderr
    assert run(tmp_path, "devices").stdout == "no device is signed in\n"
    refused = run(tmp_path, "token", "create", "guest-1", "--device")
    assert refused.returncode == 1 and "reserved" in refused.stderr and refused.stdout == ""


def test_a_bridge_that_runs_but_does_not_listen_is_not_gone_round(tmp_path: Path):
    held = lock.take(tmp_path / "store")
    refused = run(tmp_path, "devices")
    assert refused.returncode == 1 and "another bridge is running" in refused.stderr
    os.close(held)


@pytest.fixture
def config(tmp_path: Path) -> list[str]:
    (tmp_path / "c.toml").write_text(CONFIG)
    return ["--config", str(tmp_path / "c.toml")]


def test_what_a_bridge_is_asked(config: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    asked: list[dict[str, Any]] = []

    async def ask(path: Path, command: str, **arguments: Any) -> dict[str, Any]:
        asked.append({"command": command, **arguments})
        return {"ok": True, "id": "d1", "credential": "c" * 43, "devices": []}

    monkeypatch.setattr("jinglebridge.service.admin.ask", ask)
    assert cli.main(["token", "create", "anna", "--device", "--display-name", "Anna", *config]) == 0
    assert capsys.readouterr().out == "c" * 43 + "\n"
    assert cli.main(["devices", "anna", *config]) == cli.main(["devices", "revoke", "d1", *config]) == 0
    about = {"name": "anna", "display_name": "Anna", "label": None, "contacts": []}
    assert asked == [
        {"command": "device-create", **about},
        {"command": "devices", "user": "anna"},
        {"command": "device-revoke", "id": "d1"},
    ]


@pytest.mark.parametrize(
    "words",
    [["devices", "revoke"], ["devices", "anna", "d1"], ["token", "create", "anna", "--device", "--lifetime", "5"],
     ["token", "create", "anna", "--label", "x"]],
)  # fmt: skip
def test_words_that_do_not_go_together(config: list[str], capsys: pytest.CaptureFixture[str], words: list[str]):
    assert cli.main([*words, *config]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_list_is_a_table():
    row = {"id": "d1", "user": "anna\\40example.org", "by": "address", "used": "2026-01-02T03:04:05+00:00", "label": ""}
    head, line = command._listed([row]).splitlines()
    assert head.split() == ["DEVICE", "PERSON", "VOUCHED", "LAST", "USED", "LABEL"]
    assert line == "d1      anna\\40example.org  by address  2026-01-02 03:04"
