"""`calls`, `stop`, `doctor`: what they print of what a bridge answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jinglebridge import cli
from jinglebridge.commands import operate
from jinglebridge.errors import OperatorError

CALL = {
    "call": "c1", "sid": "s1", "direction": "out", "own": "anna@c.test/w", "peer": "bob@im.test/r", "state": "connected",
    "media": ["audio", "video"], "seconds": 61.4, "with": "bob@im.test",
}  # fmt: skip


@pytest.fixture
def config(tmp_path: Path) -> list[str]:
    path = tmp_path / "c.toml"
    path.write_text(f'[xmpp]\ndomain = "c.test"\nsecret = "s"\n[store]\npath = "{tmp_path}"\n')
    return ["--config", str(path)]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """A bridge with two calls and a finding."""
    commands: list[tuple[str, dict[str, Any]]] = []

    def answer(config: object, command: str, **arguments: Any) -> dict[str, Any]:
        commands.append((command, arguments))
        checks = [
            {"name": "server", "level": "good", "text": "there", "advice": ""},
            {"name": "echo call", "level": "bad", "text": "silent", "advice": "look"},
        ]
        return {"ok": True, "calls": [CALL, CALL | {"call": "c2", "sid": "s2", "direction": "in"}], "checks": checks}

    monkeypatch.setattr(operate, "_ask", answer)
    return commands


Capture = pytest.CaptureFixture[str]


def test_the_list(config: list[str], asked: object, capsys: Capture):
    assert cli.main(["calls", *config]) == 0
    first, second, last = capsys.readouterr().out.splitlines()
    assert first == "c1  anna@c.test/w -> bob@im.test/r  connected  audio+video  61 s"
    assert " <- " in second and last == "2 live calls"
    assert cli.main(["calls", *config, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2


@pytest.mark.parametrize("id", ["c2", "s2"])
def test_one_call(config: list[str], asked: object, capsys: Capture, id: str):
    assert cli.main(["calls", *config, "show", id]) == 0
    assert json.loads(capsys.readouterr().out)["call"] == "c2"


def test_a_call_that_is_not_there(config: list[str], asked: object, capsys: Capture):
    assert cli.main(["calls", *config, "show", "nothing"]) == 1 and "no live call has the id nothing" in capsys.readouterr().err
    assert cli.main(["calls", *config, "show"]) == 1 and "needs the id" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["--end-calls"]])
def test_stop(config: list[str], asked: list[Any], capsys: Capture, words: list[str]):
    assert cli.main(["stop", *config, *words]) == 0 and capsys.readouterr().out == "stopping\n"
    assert asked == [("stop", {"end_calls": bool(words)})]


def test_the_doctor_prints_advice_and_counts(config: list[str], asked: object, capsys: Capture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("jinglebridge.log.configure", lambda level: None)
    assert cli.main(["doctor", *config]) == 1
    out = capsys.readouterr().out
    assert "ok    server: there\n" in out and "FAIL  echo call: silent\n      → look\n" in out and out.endswith("1 thing to mend\n")


def test_without_a_bridge(config: list[str], capsys: Capture):
    for command in ("calls", "stop"):
        assert cli.main([command, *config]) == 1
        assert "no bridge is running here" in capsys.readouterr().err


def test_the_doctor_does_not_hide_a_bridge_that_does_not_answer(config: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object) -> dict[str, Any]:
        raise OperatorError("the bridge does not answer within 60 s")

    monkeypatch.setattr(operate, "_ask", fail)
    monkeypatch.setattr("jinglebridge.log.configure", lambda level: None)
    assert cli.main(["doctor", *config]) == 1 and "does not answer" in capsys.readouterr().err
