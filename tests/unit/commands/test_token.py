"""`jinglebridge token create`."""

from __future__ import annotations

from pathlib import Path

import pytest

from jinglebridge import cli
from jinglebridge.web import tokens

SECRET = "s" * 40


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.toml"
    path.write_text(f'[xmpp]\ndomain = "c.test"\nsecret = "s"\n[tokens]\nsecret = "{SECRET}"\n')
    return path


def create(config: Path, *words: str) -> int:
    return cli.main(["token", "create", "--config", str(config), *words])


def test_a_token_and_a_link(config: Path, capsys: pytest.CaptureFixture[str]):
    assert create(config, "anna b", "--display-name", "Anna", "--contact", "x@y", "--contact", "z@y") == 0
    made = capsys.readouterr().out.strip()
    assert tokens.verify(made, SECRET, "c.test").identity == tokens.Identity("anna\\20b", "Anna", ("x@y", "z@y"))
    assert create(config, "anna", "--link") == 0
    link = capsys.readouterr().out.strip()
    assert link.startswith("http://127.0.0.1:8080/#token=")
    assert tokens.verify(link.partition("=")[2], SECRET, "c.test").identity.user == "anna"


@pytest.mark.parametrize("words", [["guest-1"], ["a@b"]])
def test_refusals(config: Path, capsys: pytest.CaptureFixture[str], words: list[str]):
    assert create(config, *words) == 1
    out = capsys.readouterr()
    assert "reserved" in out.err and out.err.count("\n") == 1 and out.out == ""


def test_without_a_secret(config: Path, capsys: pytest.CaptureFixture[str]):
    config.write_text('[xmpp]\ndomain = "c.test"\nsecret = "s"\n')
    assert create(config, "anna") == 2 and "openssl rand" in capsys.readouterr().err
