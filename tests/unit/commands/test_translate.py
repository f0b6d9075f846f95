"""`jinglebridge translate`."""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys

import pytest

from jinglebridge import cli, schemas
from jinglebridge.commands import translate
from jinglebridge.errors import OperatorError, UsageError
from jinglebridge.xml import parse_text
from tests.unit.cases import AV, offer, small


def run(*argv: str, stdin: str | bytes = "") -> str:
    parser = argparse.ArgumentParser()
    translate.add_arguments(parser)
    out = io.BytesIO()
    assert translate.run(parser.parse_args(argv), io.BytesIO(stdin.encode() if isinstance(stdin, str) else stdin), out) == 0
    return out.getvalue().decode()


def refusal(*argv: str, stdin: str | bytes = "") -> str:
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
        ([], b"v=0\r\n\xff\xfe", "not text: SDP and XML are UTF-8, which byte 6 is not"),
        ([], "{}".encode("utf-16"), "not text"),
        (["--to", "sdp"], b"\xff", "not text"),
        ([], "é" * 140_000, "more than 262144 bytes"),
        ([], "nonsense", "cannot translate"),
        ([], "\ufeffnonsense", "cannot translate"),
        (["--to", "sdp"], "nonsense", "no XML that can be read: syntax error: line 1, column 0"),
        (["--to", "sdp", "--validate"], "nonsense", "no XML that can be read: syntax error: line 1, column 0"),
        (["--to", "sdp"], "<a>" * 9000, "no XML that can be read: more than"),
        (["--to", "sdp"], "<iq>" + XML.strip() + "</iq>", "a whole <iq>: give only the <jingle/> in it"),
        (["--to", "sdp", "--validate"], "<message\nto='a@b'>" + XML.strip() + "</message>", "a whole <message>"),
        (["--to", "sdp"], "<stream:stream xmlns:stream='urn:x'>" + XML.strip(), "a whole <stream>"),
        (["--to", "sdp"], "<presence/>", "a whole <presence>"),
        (["--to", "sdp"], "<jingle/>", "this is jingle, and only <jingle xmlns='urn:xmpp:jingle:1'/>"),
        (["--to", "sdp"], XML.replace("<content", "<!-- x --><content"), "has a comment, which must not travel"),
        (["--to", "sdp"], XML.replace("<content", "<![CDATA[x]]><content"), "has a CDATA section"),
        (["--to", "sdp"], "<!DOCTYPE jingle>" + XML, "has a DOCTYPE, which must not travel"),
        (["--to", "sdp", "--validate"], "<?php x ?>" + XML, "has a processing instruction, which must not travel"),
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


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--stream", "offer.sdp"], "FILE"),
        (["--stream", "--pretty"], "--pretty"),
        (["--stream", "--to", "xml", "--author", "initiator"], "--to, --author"),
        (["--stream", "--answer"], "--offer or --answer"),
        (["--stream", "--offer"], "--offer or --answer"),
        (["--extensions", "--peer", "dino"], "--peer dino"),
        (["--stream", "--extensions", "--peer", "safe"], "--peer safe"),
        (["--to", "sdp", "--offer"], "says itself"),
        (["--to", "sdp", "--pretty"], "--pretty"),
    ],
)
def test_options_that_would_do_nothing_are_wrong_arguments(argv, words):
    with pytest.raises(UsageError) as caught:
        run(*argv, stdin=XML)
    assert words in str(caught.value) and caught.value.exit_status == 2


def test_wrong_options_show_the_usage_of_the_command(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["translate", "--nonsense"])
    shown = capsys.readouterr().err
    assert caught.value.code == 2 and shown.startswith("usage: jinglebridge translate") and "--nonsense" in shown


def test_blank_lines_at_the_end_are_no_part_of_an_sdp():
    assert run(stdin=small() + "\r\n \n\n") == run(stdin=small()[:-2]) == run(stdin=small()) == XML
    assert "line 4" in refusal(stdin="v=0\r\ns=-\r\nt=0 0\r\n\r\na=x\r\n\r\n")


@pytest.mark.parametrize("source", ["file", "standard input"])
def test_a_lone_cr_is_no_line_end(tmp_path, source):
    """Text files of Python would make one of it, and of a value a line."""
    sdp = small("a=ptime:20\ra=evil").encode()
    (tmp_path / "offer.sdp").write_bytes(sdp)
    assert "control character" in (refusal(str(tmp_path / "offer.sdp")) if source == "file" else refusal(stdin=sdp))


def test_an_xml_declaration_may_stand_before_the_document():
    assert run("--to", "sdp", "--validate", stdin=f'\ufeff<?xml version="1.0" encoding="UTF-8"?>\n{XML}') == run("--to", "sdp", stdin=XML)


def test_the_author_of_a_document_is_who_sends_its_action():
    accept = run("--author", "responder", "--answer", stdin=small().replace("actpass", "active").replace("sendrecv", "sendonly"))
    assert 'senders="responder"' in accept
    assert "a=sendonly" in run("--to", "sdp", stdin=accept) == run("--to", "sdp", "--author", "responder", stdin=accept)
    assert "a session-accept is by the responder" in refusal("--to", "sdp", "--author", "initiator", stdin=accept)
    assert "a session-initiate is by the initiator" in refusal("--to", "sdp", "--author", "responder", stdin=XML)
    added = run("--author", "responder", stdin=small().replace("sendrecv", "sendonly"))
    assert "a=sendonly" in run("--to", "sdp", "--author", "responder", stdin=added)
    assert "a=recvonly" in run("--to", "sdp", stdin=added)


def test_validate_names_each_fault_of_the_input():
    broken = XML.replace('creator="initiator" ', "").replace('id="111"', 'id="200"')
    found = refusal("--to", "sdp", "--validate", stdin=broken).splitlines()
    assert found == [
        "the XML breaks the schemas:",
        "  line 1, jingle/content: attribute creator is missing",
        "  line 1, jingle/content/description/payload-type: id='200'; expected: a payload type number from 0 to 127",
    ]
    assert "m=audio" in run("--to", "sdp", "--validate", stdin=XML)
    assert "no schema for <call/> without a namespace" in refusal("--to", "sdp", "--validate", stdin="<call>" + XML.strip() + "</call>")


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
    assert "a=rid" not in run("--stream", "--validate", "-", stdin=lines)
    assert "a=rid:hi send" in run("--stream", "--validate", "--extensions", stdin=lines)
    seen = []
    monkeypatch.setattr(schemas, "check", seen.append)
    run("--stream", "--validate", stdin=lines)
    assert len(seen) == 1 and seen[0].startswith("<jingle")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b'{"id": 1, "sdp": "\xff"}', "not UTF-8"),
        (b'{"id": NaN}', "not a JSON object"),
        (b'{"id": -Infinity}', "not a JSON object"),
        (b'{"id": 1e999}', "not a JSON object"),
        (b"", "not a JSON object"),
        (b'{"id": 1}' + b" " * 300_000 + b"x", "a line of more than 262144 bytes"),
    ],
)
def test_a_bad_line_costs_only_itself(line, error):
    first, second = run("--stream", stdin=line + b"\n" + message(id=2.5).encode()).splitlines()
    assert json.loads(first)["id"] is None and error in json.loads(first)["error"]
    assert json.loads(second)["id"] == 2.5 and "m=audio" in json.loads(second)["sdp"]


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
    accept = run("--author", "responder", "--answer", stdin=small().replace("actpass", "active"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(accept.encode())))
    assert cli.main(shown[1][1:-2]) == 0
    assert "a=setup:active" in capsys.readouterr().out


def shell(command: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """In `command`, "$j" is the command."""
    env = {**os.environ, **environment, "j": f"{sys.executable} -m jinglebridge translate"}
    return subprocess.run(["sh", "-c", command], input=stdin, capture_output=True, env=env, timeout=60)


@pytest.mark.parametrize(
    ("command", "stdin", "words"),
    [
        ("$j", b"v=0\r\n\xff\xfe\x80", b"not text"),
        ("$j > /dev/full", small().encode(), b"cannot write to standard output: No space left"),
        ("$j --stream > /dev/full", b"{}\n", b"cannot write to standard output: No space left"),
        ("$j <&-", b"", b"standard input is closed"),
        ("$j --stream <&-", b"", b"standard input is closed"),
        ("$j >&-", small().encode(), b"standard output is closed"),
        ("$j 0>/dev/null", b"", b"cannot read standard input"),
        ("$j --stream 0>/dev/null", b"", b"cannot read standard input"),
    ],
)
def test_what_goes_wrong_in_a_shell_is_one_line_too(command, stdin, words):
    done = shell(command, stdin)
    assert done.returncode == 1 and done.stderr.startswith(b"jinglebridge: ") and done.stderr.count(b"\n") == 1 and words in done.stderr


def test_a_reader_that_went_away_is_no_fault():
    done = shell("$j --stream | head -c 1 >/dev/null", b"{}\n" * 20_000)
    assert done.stderr == b""


@pytest.mark.parametrize("encoding", ["ascii", "utf-16"])
def test_input_and_output_are_utf8_whatever_the_locale(encoding):
    done = shell("$j --extensions | $j --to sdp --extensions", small("a=label:é\u65e5").encode(), PYTHONIOENCODING=encoding, LC_ALL="C")
    assert done.stderr == b"" and "a=label:é\u65e5\r\n".encode() in done.stdout
