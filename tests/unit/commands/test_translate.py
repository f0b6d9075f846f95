"""`jinglebridge translate`."""

from __future__ import annotations

import argparse
import io
import json

import pytest

from jinglebridge.commands import translate
from jinglebridge.errors import OperatorError
from tests.unit.cases import small


def run(*argv: str, stdin: str = "") -> str:
    parser = argparse.ArgumentParser()
    translate.add_arguments(parser)
    out = io.StringIO()
    assert translate.run(parser.parse_args(argv), io.StringIO(stdin), out) == 0
    return out.getvalue()


def test_both_ways():
    xml = run(stdin=small())
    assert xml.startswith("<jingle") and xml.endswith("</jingle>\n")
    assert "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" in run("--to", "sdp", stdin=xml)
    assert "session-accept" in run("--author", "responder", "--peer", "safe", stdin=small())


@pytest.mark.parametrize("argv", [["--validate"], ["--extensions"], [], ["--to", "sdp"]])
def test_what_cannot_be_done_is_one_line(argv):
    with pytest.raises(OperatorError) as caught:
        run(*argv, stdin="nonsense")
    assert "\n" not in str(caught.value)


def test_the_stream_answers_each_line():
    lines = [
        json.dumps({"id": 1, "call": "c", "dir": "a2b", "kind": "offer", "round": 1, "sdp": small()}),
        "nonsense",
        "[]",
        "x" * 300_000,
        "[" * 20_000,
    ]
    replies = [json.loads(line) for line in run("--stream", stdin="\n".join(lines) + "\n").splitlines()]
    assert replies[0]["id"] == 1 and "m=audio" in replies[0]["sdp"]
    assert all(reply["error"] for reply in replies[1:]) and len(replies) == 5
