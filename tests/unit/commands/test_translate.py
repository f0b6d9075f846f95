"""`jinglebridge translate`."""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys

import pytest

from jinglebridge import cli, schemas
from jinglebridge.commands import translate
from jinglebridge.errors import OperatorError
from jinglebridge.xml import parse_text
from tests.unit.cases import AV, offer, small


def run(*argv: str, stdin: str = "") -> str:
    parser = argparse.ArgumentParser()
    translate.add_arguments(parser)
    out = io.StringIO()
    assert translate.run(parser.parse_args(argv), io.StringIO(stdin), out) == 0
    return out.getvalue()


def refusal(*argv: str, stdin: str = "") -> str:
    with pytest.raises(OperatorError) as caught:
        run(*argv, stdin=stdin)
    return str(caught.value)


XML = run(stdin=small())


def test_both_ways():
    assert XML.startswith("<jingle") and XML.endswith("</jingle>\n")
    assert "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" in run("--to", "sdp", stdin=XML)


def test_what_it_is_follows_from_author_and_kind():
    assert 'action="session-initiate"' in XML
    assert 'action="content-add"' in run("--author", "responder", stdin=small())
    assert 'action="session-accept"' in run("--author", "responder", "--answer", "--peer", "safe", stdin=small())
    assert 'action="content-accept"' in run("--answer", stdin=small())
    assert 'action="content-add"' in run("--author", "responder", "--offer", stdin=small().replace("actpass", "active"))


def test_extensions_bring_every_line_back():
    sdp = small("a=rid:hi send", "a=unheard-of:1")
    assert "unheard-of" not in run(stdin=sdp)
    xml = run("--extensions", "--validate", stdin=sdp)
    assert "a=unheard-of:1" in xml
    assert {"a=rid:hi send", "a=unheard-of:1"} <= set(run("--to", "sdp", "--extensions", "--validate", stdin=xml).splitlines())


def test_a_file_is_read_as_well(tmp_path):
    (tmp_path / "offer.sdp").write_text(small())
    assert run(str(tmp_path / "offer.sdp")) == XML
    assert run("-", stdin=small()) == XML
    assert "cannot read" in refusal(str(tmp_path / "none.sdp")) and "cannot read" in refusal(str(tmp_path))
    (tmp_path / "offer.bin").write_bytes(b"v=0\r\n\xff\xfe")
    assert "not text" in refusal(str(tmp_path / "offer.bin"))


def test_pretty_xml_is_indented_and_means_the_same():
    pretty = run("--pretty", "--extensions", "--validate", stdin=offer(AV))
    assert pretty.count("\n") > 50 and '\n      <payload-type id="111"' in pretty
    assert schemas.validate(pretty) == []
    flat = run("--extensions", stdin=offer(AV))
    for options in ([], ["--extensions"], ["--validate"]):
        assert run("--to", "sdp", *options, stdin=pretty) == run("--to", "sdp", *options, stdin=flat)
    assert parse_text(pretty).get("action") == "session-initiate"


@pytest.mark.parametrize(
    ("argv", "stdin", "word"),
    [
        ([], "", "empty"),
        (["--to", "sdp"], " \n", "empty"),
        ([], XML, "looks like XML: use --to sdp"),
        (["--to", "sdp"], small(), "looks like SDP: leave out --to sdp"),
        (["--to", "sdp"], "a=candidate:1 1 udp 1 10.0.0.1 1 typ host", "looks like SDP"),
        ([], json.dumps({"type": "offer", "sdp": small()}), "looks like JSON"),
        ([], json.dumps(small()), "looks like JSON"),
        ([], "v=0\0", "not text"),
        ([], "x" * 300_000, "more than 262144 characters"),
        ([], "nonsense", "cannot translate"),
        ([], "\ufeffnonsense", "cannot translate"),
        (["--to", "sdp"], "nonsense", "cannot translate"),
        (["--to", "sdp"], "<iq>" + XML.strip() + "</iq>", "cannot translate: <jingle/> expected"),
        (["--to", "sdp", "--answer"], XML, "says itself"),
        (["--extensions"], small(drop=("fingerprint",)), "fingerprint"),
    ],
)
def test_what_cannot_be_done_is_one_line(argv, stdin, word):
    found = refusal(*argv, stdin=stdin)
    assert word in found and "\n" not in found


def test_options_that_exclude_each_other_are_refused(capsys):
    with pytest.raises(SystemExit):
        run("--offer", "--answer", stdin=small())
    assert "not allowed with" in capsys.readouterr().err


def test_validate_names_each_fault_of_the_input():
    broken = XML.replace('creator="initiator" ', "").replace('id="111"', 'id="200"')
    found = refusal("--to", "sdp", "--validate", stdin=broken).splitlines()
    assert found == [
        "the XML breaks the schemas:",
        "  line 1, jingle/content: attribute creator is missing",
        "  line 1, jingle/content/description/payload-type: id='200'; expected: a payload type number from 0 to 127",
    ]
    assert "m=audio" in run("--to", "sdp", "--validate", stdin=XML)
    assert "no schema for <iq/> without a namespace" in refusal("--to", "sdp", "--validate", stdin="<iq>" + XML.strip() + "</iq>")


def test_validate_owns_up_to_a_fault_of_ours(monkeypatch):
    assert run("--validate", stdin=small()) == XML
    monkeypatch.setattr(translate, "sdp_to_xml", lambda *args, **more: XML.replace("creator", "maker"))
    found = refusal("--validate", stdin=small())
    assert "a fault of jinglebridge" in found and "unknown attribute maker" in found


def message(**more: object) -> str:
    return json.dumps({"id": 1, "call": "c", "dir": "a2b", "kind": "offer", "round": 1, "sdp": small()} | more)


def test_the_stream_answers_each_line():
    lines = [message(), "nonsense", "[]", "x" * 300_000, "x" * 600_000, "[" * 20_000, message(id=7)]
    replies = [json.loads(line) for line in run("--stream", stdin="\n".join(lines)).splitlines()]
    assert replies[0]["id"] == 1 and "m=audio" in replies[0]["sdp"]
    assert all(reply["error"] for reply in replies[1:-1]) and len(replies) == 7
    assert replies[-1]["id"] == 7 and "m=audio" in replies[-1]["sdp"]


def test_the_stream_takes_the_options_of_the_command(monkeypatch):
    lines = message(sdp=small("a=rid:hi send"))
    assert "a=rid" not in run("--stream", "--validate", stdin=lines)
    assert "a=rid:hi send" in run("--stream", "--validate", "--extensions", stdin=lines)
    seen = []
    monkeypatch.setattr(schemas, "check", seen.append)
    run("--stream", "--validate", stdin=lines)
    assert len(seen) == 1 and seen[0].startswith("<jingle")


def test_a_call_id_that_is_no_sid_is_an_error_of_that_message():
    (reply,) = run("--stream", "--validate", stdin=message(call="a call")).splitlines()
    assert "sid='a call'" in json.loads(reply)["error"]


def test_the_help_shows_examples_that_run(capsys, tmp_path, monkeypatch):
    with pytest.raises(SystemExit):
        cli.main(["translate", "--help"])
    shown = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("  jinglebridge translate")]
    assert len(shown) == 2
    (tmp_path / "offer.sdp").write_text(small())
    monkeypatch.chdir(tmp_path)
    assert cli.main(shown[0][1:]) == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO(run("--author", "responder", "--answer", stdin=small())))
    assert cli.main(shown[1][1:-2]) == 0
    assert "a=setup:active" in capsys.readouterr().out


def test_bytes_that_are_no_text_are_one_line_for_the_shell_too():
    done = subprocess.run([sys.executable, "-m", "jinglebridge", "translate"], input=b"v=0\r\n\xff\xfe\x80", capture_output=True)
    assert done.returncode == 1 and done.stderr.startswith(b"jinglebridge: ") and done.stderr.count(b"\n") == 1
