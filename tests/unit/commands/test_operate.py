"""`calls`, `stop`, `doctor`: what they print of what a bridge answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jinglebridge import cli
from jinglebridge.commands import ladder, operate
from jinglebridge.errors import OperatorError

CALL: dict[str, Any] = {
    "call": "c1", "sid": "s1", "direction": "out", "own": "anna@c.test/w", "peer": "bob@im.test/r", "state": "connected",
    "media": ["audio", "video"], "began": 1700000000.25, "seconds": 61.4, "with": "bob@im.test", "ended": None, "reason": None, "by": None,
    "mediaSeen": True, "relayCandidates": {"ours": True, "theirs": True}, "relayed": False, "leftOut": 0,
}  # fmt: skip
OVER = CALL | {
    "call": "c2", "sid": "s2", "direction": "in", "state": "ended", "ended": 1700000009.0, "reason": "failed-ice", "by": "page",
    "mediaSeen": False, "relayCandidates": {"ours": False, "theirs": False}, "relayed": None,
}  # fmt: skip
STEPS = [
    {"at": 0.0, "from": "page", "to": "bridge", "what": "call", "detail": "offer 0 1"},
    {"at": 0.0, "from": "bridge", "to": "peer", "what": "propose", "detail": "audio"},
    {"at": 0.5, "from": "peer", "to": "bridge", "what": "ringing", "detail": ""},
    {"at": 0.501, "from": "bridge", "to": "page", "what": "candidate", "detail": "\x9b31m\u202e: host"},
    {"at": 60.0, "from": "bridge", "to": "bridge", "what": "timer", "detail": "ring"},
]


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
        calls = [OVER, CALL]
        if command == "show":
            calls = [c | {"steps": STEPS, "texts": True} for c in calls if arguments["id"] in (c["call"], c["sid"])]
            calls = [OVER] * 7 if arguments["id"] == "c" else calls
        return {"ok": True, "calls": calls, "checks": checks}

    monkeypatch.setattr(operate, "_ask", answer)
    return commands


Capture = pytest.CaptureFixture[str]


def test_the_list(config: list[str], asked: object, capsys: Capture):
    assert cli.main(["calls", *config]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "c2  anna@c.test/w <- bob@im.test/r  ended: failed-ice, by page  audio+video  61 s  no media seen  relay candidates: none",
        "c1  anna@c.test/w -> bob@im.test/r  connected  audio+video  61 s  media seen  relay candidates: ours and theirs, not used",
        "1 live call, 1 that ended in the last hour",
    ]
    assert cli.main(["calls", *config, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [OVER, CALL]
    assert cli.main(["calls", *config, "--unsafe"]) == 2 and "goes with `calls show ID`" in capsys.readouterr().err


LADDER = """\
anna@c.test/w -> bob@im.test/r  audio+video
call c1  sid s1
began 2023-11-14 22:13:20 UTC; connected, after 61.4 s
media seen; relay candidates: ours and theirs, not used

   +0.000 s  page  -> bridge           call offer 0 1
   +0.000 s           bridge ->  peer  propose audio
   +0.500 s           bridge <-  peer  ringing
   +0.501 s  page  <- bridge           candidate ?31m?: host
  +60.000 s           bridge           timer ring
"""


@pytest.mark.parametrize("id", ["c1", "s1"])
def test_one_call(config: list[str], asked: list[Any], capsys: Capture, id: str):
    assert cli.main(["calls", *config, "show", id]) == 0
    assert capsys.readouterr().out == LADDER and asked == [("show", {"id": id, "unsafe": False})]
    assert cli.main(["calls", *config, "show", id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == STEPS


def test_what_is_printed_of_a_call_that_is_over():
    call = OVER | {"steps": [STEPS[0] | {"text": "v=0\r\na=mid:0\x1b[2J\r\n"}], "texts": True, "leftOut": 50}
    lines = list(ladder.one(call, unsafe=True))
    assert lines[2] == "began 2023-11-14 22:13:20 UTC; ended: failed-ice, by page, after 61.4 s"
    assert lines[5:] == [
        "   +0.000 s  page  -> bridge           call offer 0 1",
        "             | v=0",
        "             | a=mid:0?[2J",
        "(50 steps in the middle were not kept)",
    ]


def test_unsafe_says_when_there_is_nothing_to_show():
    call = OVER | {"steps": STEPS[:1], "texts": True}
    assert list(ladder.one(call, unsafe=True))[-1] == "(no SDP, candidates or stanzas of this call are left)"
    assert list(ladder.one(call | {"texts": False}, unsafe=True))[-1] == "(no SDP, candidates or stanzas: [admin] texts is false)"
    assert list(ladder.one(call | {"texts": False}, unsafe=False))[-1].endswith("call offer 0 1")


def test_whether_media_and_relays_were_seen():
    assert [ladder.media_words({"mediaSeen": seen}) for seen in (None, False, True)] == ["media not told", "no media seen", "media seen"]
    only_ours = {"relayCandidates": {"ours": True, "theirs": False}}
    assert [ladder.relay_words(only_ours | {"relayed": r}) for r in (None, False, True)] == [
        "relay candidates: ours", "relay candidates: ours, not used", "relay candidates: ours, used",
    ]  # fmt: skip


def test_a_call_that_is_not_there(config: list[str], asked: object, capsys: Capture):
    assert cli.main(["calls", *config, "show", "nothing"]) == 1 and "no call of now or of the last hour" in capsys.readouterr().err
    assert cli.main(["calls", *config, "show"]) == 1 and "needs the id" in capsys.readouterr().err
    assert cli.main(["calls", *config, "show", "c"]) == 1
    assert capsys.readouterr().err == "jinglebridge: 7 calls have an id that begins with c: c2, c2, c2, c2, c2, …\n"


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
