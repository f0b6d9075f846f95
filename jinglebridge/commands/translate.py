"""`jinglebridge translate`: SDP becomes Jingle XML, or the reverse, from a file or standard input to standard output."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import TextIO

from lxml import etree

from jinglebridge import schemas
from jinglebridge.errors import OperatorError, ProtocolError
from jinglebridge.translate import sdp_to_xml, xml_to_sdp
from jinglebridge.translate.policy import POLICIES
from jinglebridge.translate.stream import StreamTranslator

MAX_INPUT = 256 * 1024  # characters of a description, or of one line of --stream
EXAMPLES = """\
examples:
  jinglebridge translate --validate --pretty offer.sdp
  jinglebridge translate --to sdp --author responder < session-accept.xml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.description = __doc__
    parser.epilog, parser.formatter_class = EXAMPLES, argparse.RawDescriptionHelpFormatter
    parser.add_argument("file", nargs="?", metavar="FILE", help="what to translate (default: standard input)")
    parser.add_argument("--to", choices=("xml", "sdp"), default="xml", help="what to write (default: %(default)s)")
    parser.add_argument("--author", choices=("initiator", "responder"), default="initiator", help="session role of the described side")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--offer", dest="answer", action="store_false", default=None, help="the SDP is an offer, whoever its author is")
    kind.add_argument("--answer", action="store_true", default=None, help="the SDP is an answer, whoever its author is")
    parser.add_argument("--peer", choices=tuple(POLICIES), default="none", help="leave out what this kind of peer cannot take")
    parser.add_argument("--extensions", action="store_true", help="carry what has no Jingle form in a private namespace")
    parser.add_argument("--validate", action="store_true", help="check the XML against the schemas, on whichever side it is")
    parser.add_argument("--pretty", action="store_true", help="indent the XML that is written")
    parser.add_argument("--stream", action="store_true", help="one JSON message per line in, one out; side A is the initiator")


def run(args: argparse.Namespace, stdin: TextIO | None = None, stdout: TextIO | None = None) -> int:
    """From FILE or `stdin` to `stdout`, by default the process's. Exit status 0; 1 for input that cannot be translated.

    Raises: OperatorError for bad input or options that contradict each other; `str()` says why.
    """
    stdin, stdout = stdin or sys.stdin, stdout or sys.stdout
    if args.stream:
        return _stream(args, stdin, stdout)
    text = _read(args.file, stdin)
    stdout.write(_to_xml(args, text) if args.to == "xml" else _to_sdp(args, text))
    return 0


def _read(file: str | None, stdin: TextIO) -> str:
    """All of the input, if that is a text of sensible size."""
    try:
        if file in (None, "-"):
            text = stdin.read(MAX_INPUT + 1)
        else:
            with open(str(file), encoding="utf-8") as opened:
                text = opened.read(MAX_INPUT + 1)
    except OSError as problem:
        raise OperatorError(f"cannot read {file}: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise OperatorError("the input is not text: SDP and XML are UTF-8") from problem
    if "\0" in text:
        raise OperatorError("the input is not text: it has NUL bytes; SDP and XML are UTF-8")
    if len(text) > MAX_INPUT:
        raise OperatorError(f"the input has more than {MAX_INPUT} characters: that is no description of a call")
    if not text.strip():
        raise OperatorError("the input is empty: give an SDP, or with --to sdp a <jingle/>")
    return text.removeprefix("\ufeff")


def _to_xml(args: argparse.Namespace, sdp: str) -> str:
    start = sdp.lstrip()[:1]
    if start == "<":
        raise OperatorError("this looks like XML: use --to sdp")
    if start in ("{", '"'):
        raise OperatorError('this looks like JSON: give only the value of its "sdp", with real line breaks')
    xml = _translated(sdp_to_xml, sdp, args, answer=args.answer)
    findings = schemas.validate(xml) if args.validate else []
    if findings:
        raise OperatorError(
            f"the XML that comes out breaks the schemas (for a good SDP that is a fault of jinglebridge):{_listed(findings)}"
        )
    if args.pretty:
        root = etree.fromstring(xml.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
        return etree.tostring(root, encoding="unicode", pretty_print=True)
    return xml + "\n"


def _to_sdp(args: argparse.Namespace, xml: str) -> str:
    if xml.lstrip()[:2] in ("v=", "m=", "a="):
        raise OperatorError("this looks like SDP: leave out --to sdp")
    if args.answer is not None:
        raise OperatorError("--offer and --answer are about SDP: a <jingle/> says itself which it is")
    findings = schemas.validate(xml) if args.validate else []
    if findings:
        raise OperatorError(f"the XML breaks the schemas:{_listed(findings)}")
    return _translated(xml_to_sdp, xml, args)


def _translated(translate: Callable[..., str], text: str, args: argparse.Namespace, **more: bool | None) -> str:
    try:
        return translate(text, args.author, extensions=args.extensions, peer=args.peer, **more)
    except ProtocolError as problem:
        raise OperatorError(f"cannot translate: {problem}") from problem


def _listed(findings: list[schemas.Finding]) -> str:
    return "".join(f"\n  {finding}" for finding in findings)


def _stream(args: argparse.Namespace, stdin: TextIO, stdout: TextIO) -> int:
    """Messages until the end of `stdin`; a line that is none, or too long, gets an error and the next one is read."""
    check = schemas.check if args.validate else None
    translator = StreamTranslator(POLICIES[args.peer], extensions=args.extensions, check=check)
    while line := stdin.readline(MAX_INPUT):
        if not line.endswith("\n") and len(line) == MAX_INPUT:
            while (rest := stdin.readline(MAX_INPUT)) and not rest.endswith("\n"):
                pass
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        reply = translator.handle(message) if isinstance(message, dict) else {"id": None, "error": "not a JSON object of this protocol"}
        stdout.write(json.dumps(reply) + "\n")
        stdout.flush()
    return 0
