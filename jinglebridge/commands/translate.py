"""`jinglebridge translate`: SDP becomes Jingle XML, or the reverse, from a file or standard input to standard output."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from math import isfinite
from typing import Any, BinaryIO, TextIO

from lxml import etree

from jinglebridge import schemas
from jinglebridge.calls.through import ThroughCalls
from jinglebridge.errors import BadRequest, OperatorError, ProtocolError, UsageError
from jinglebridge.jingle.xep_0166 import JINGLE
from jinglebridge.translate import AUTHORS, sdp_to_xml, xml_to_sdp
from jinglebridge.translate.policy import POLICIES
from jinglebridge.translate.stream import StreamTranslator
from jinglebridge.xml import parse_text

MAX_INPUT = 256 * 1024  # bytes of a description, or of one line of --stream
EXAMPLES = """\
examples:
  jinglebridge translate --validate --pretty offer.sdp
  jinglebridge translate --to sdp --author responder < session-accept.xml
"""

_DECLARATION = re.compile(r"\A\s*<\?xml\s[^<>]*\?>")
_STANZA = re.compile(r"\s*<(?:[\w.-]+:)?(iq|message|presence|stream)[\s/>]")
_MARKUP = {
    "<!--": "a comment, which must not travel on an XMPP stream: take it out",
    "<![CDATA[": "a CDATA section, which no client sends: write the text in it with &amp; and &lt;",
    "<!DOCTYPE": "a DOCTYPE, which must not travel on an XMPP stream: take it out",
    "<?": "a processing instruction, which must not travel on an XMPP stream: take it out",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command. None is the default of those that cannot always be given."""
    parser.description = __doc__
    parser.epilog, parser.formatter_class = EXAMPLES, argparse.RawDescriptionHelpFormatter
    parser.add_argument("file", nargs="?", metavar="FILE", help="what to translate (default: standard input)")
    parser.add_argument("--to", choices=("xml", "sdp"), help="what to write (default: xml)")
    parser.add_argument(
        "--author", choices=("initiator", "responder"), help="session role of the described side (default: as the XML says, else initiator)"
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--offer", dest="answer", action="store_false", default=None, help="the SDP is an offer, whoever its author is")
    kind.add_argument("--answer", action="store_true", default=None, help="the SDP is an answer, whoever its author is")
    parser.add_argument("--peer", choices=tuple(POLICIES), default="none", help="leave out what this kind of peer cannot take")
    parser.add_argument("--extensions", action="store_true", help="carry what has no Jingle form in a private namespace")
    parser.add_argument("--validate", action="store_true", help="check the XML against the schemas, on whichever side it is")
    parser.add_argument("--pretty", action="store_true", default=None, help="indent the XML that is written")
    parser.add_argument("--stream", action="store_true", help="one JSON message per line in, one out; side A is the initiator")
    parser.add_argument("--through", choices=("calls",), help="with --stream: each side is a whole call engine, rings and all")


def run(args: argparse.Namespace, stdin: BinaryIO | None = None, stdout: BinaryIO | None = None) -> int:
    """From FILE or `stdin` to `stdout`, by default the process's. Both are UTF-8 whatever the locale is. Exit status 0.

    Raises: UsageError for options that do nothing together; OperatorError for input that cannot be translated, for a file that cannot be
        read or written; BrokenPipeError if nobody reads any more.
    """
    _check(args)
    out = stdout or _binary(sys.stdout, "standard output")
    if args.file not in (None, "-"):
        with _opened(args.file) as file:
            text = _read(file, args.file)
    else:
        stdin = stdin or _binary(sys.stdin, "standard input")
        if args.stream:
            return _stream(args, stdin, out)
        text = _read(stdin, "standard input")
    _write(out, _to_sdp(args, text) if args.to == "sdp" else _to_xml(args, text))
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.stream:
        given = {"FILE": None if args.file == "-" else args.file, "--to": args.to, "--author": args.author}
        given |= {"--offer or --answer": args.answer, "--pretty": args.pretty}
        idle = [name for name, value in given.items() if value is not None]
        if idle:
            raise UsageError(f"--stream has no use for {', '.join(idle)}: it reads standard input, and each message says what it is")
    if args.through and not args.stream:
        raise UsageError("--through is about --stream")
    if args.through and args.peer != "none":
        raise UsageError("--through calls asks each engine who its peer is: leave out --peer")
    if args.extensions and args.peer != "none":
        raise UsageError(f"--peer {args.peer} leaves out what --extensions adds: give one of them")
    if args.to == "sdp" and args.answer is not None:
        raise UsageError("--offer and --answer are about SDP: a <jingle/> says itself which it is")
    if args.to == "sdp" and args.pretty:
        raise UsageError("--pretty is about the XML that is written: leave it out with --to sdp")


def _binary(stream: TextIO | None, name: str) -> BinaryIO:
    if stream is None:
        raise OperatorError(f"{name} is closed")
    return stream.buffer


def _opened(file: str) -> BinaryIO:
    try:
        return open(file, "rb")
    except OSError as problem:
        raise OperatorError(f"cannot read {file}: {problem.strerror}") from problem


def _read(source: BinaryIO, name: str) -> str:
    """All of the input, if that is a text of sensible size. Line ends stay what they are."""
    try:
        data = source.read(MAX_INPUT + 1)
    except OSError as problem:
        raise OperatorError(f"cannot read {name}: {problem.strerror or problem}") from problem
    if len(data) > MAX_INPUT:
        raise OperatorError(f"the input has more than {MAX_INPUT} bytes: that is no description of a call")
    try:
        text = data.decode()
    except UnicodeDecodeError as problem:
        raise OperatorError(f"the input is not text: SDP and XML are UTF-8, which byte {problem.start + 1} is not") from problem
    if "\0" in text:
        raise OperatorError("the input is not text: it has NUL bytes; SDP and XML are UTF-8")
    if not text.strip():
        raise OperatorError("the input is empty: give an SDP, or with --to sdp a <jingle/>")
    return text.removeprefix("\ufeff")


def _write(out: BinaryIO, text: str) -> None:
    try:
        out.write(text.encode())
        out.flush()
    except OSError as problem:
        with suppress(OSError):  # what is left in the buffer must not fail again, with a traceback, when the process ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        if isinstance(problem, BrokenPipeError):
            raise
        raise OperatorError(f"cannot write to standard output: {problem.strerror}") from problem


def _to_xml(args: argparse.Namespace, sdp: str) -> str:
    start = sdp.lstrip()[:1]
    if start == "<":
        raise OperatorError("this looks like XML: use --to sdp")
    if start in ("{", '"'):
        raise OperatorError('this looks like JSON: give only the value of its "sdp", with real line breaks')
    xml = _translated(sdp_to_xml, _without_blank_end(sdp), args, answer=args.answer)
    findings = schemas.validate(xml) if args.validate else []
    if findings:
        raise OperatorError(
            f"the XML that comes out breaks the schemas (for a good SDP that is a fault of jinglebridge):{_listed(findings)}"
        )
    if args.pretty:
        root = etree.fromstring(xml.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
        return etree.tostring(root, encoding="unicode", pretty_print=True)
    return xml + "\n"


def _without_blank_end(sdp: str) -> str:
    """Editors and clipboards leave blank lines at the end."""
    body = sdp.rstrip(" \t\r\n")
    rest, newline, _ = sdp[len(body) :].partition("\n")
    return body + rest + newline


def _to_sdp(args: argparse.Namespace, xml: str) -> str:
    if xml.lstrip()[:2] in ("v=", "m=", "a="):
        raise OperatorError("this looks like SDP: leave out --to sdp")
    xml = _DECLARATION.sub("", xml)
    markup = next((what for start, what in _MARKUP.items() if start in xml), None)
    if markup is not None:
        raise OperatorError(f"the XML has {markup}")
    if stanza := _STANZA.match(xml):
        raise OperatorError(f"this is a whole <{stanza[1]}>: give only the <jingle/> in it")
    try:
        root = parse_text(xml)
    except BadRequest as problem:
        raise OperatorError(f"this is no XML that can be read: {str(problem).removeprefix('not well-formed: ')}") from problem
    findings = schemas.validate(xml) if args.validate else []
    if findings:
        raise OperatorError(f"the XML breaks the schemas:{_listed(findings)}")
    if root.tag != JINGLE.clark:
        raise OperatorError(f"this is {root.tag[:80]}, and only <jingle xmlns='{JINGLE.ns}'/> can be translated")
    action = root.get("action", "")
    if args.author not in (None, AUTHORS.get(action, args.author)):
        raise OperatorError(f"a {action} is by the {AUTHORS[action]}: leave out --author {args.author}")
    return _translated(xml_to_sdp, xml, args)


def _translated(translate: Callable[..., str], text: str, args: argparse.Namespace, **more: Any) -> str:
    if args.author is not None:
        more["author"] = args.author
    try:
        return translate(text, extensions=args.extensions, peer=args.peer, **more)
    except ProtocolError as problem:
        raise OperatorError(f"cannot translate: {problem}") from problem


def _listed(findings: list[schemas.Finding]) -> str:
    return "".join(f"\n  {finding}" for finding in findings)


def _stream(args: argparse.Namespace, stdin: BinaryIO, out: BinaryIO) -> int:
    """Messages until the end of `stdin`; a line that is none gets an error and the next one is read."""
    check = schemas.check if args.validate else None
    translator: StreamTranslator | ThroughCalls
    if args.through:
        translator = ThroughCalls(time.monotonic, check)
    else:
        translator = StreamTranslator(POLICIES[args.peer], extensions=args.extensions, check=check)
    for line in _lines(stdin):
        try:
            reply = translator.handle(_message(line))
        except ValueError as problem:
            reply = {"id": None, "error": str(problem)}
        _write(out, json.dumps(reply) + "\n")
    return 0


def _lines(stdin: BinaryIO) -> Iterator[bytes]:
    """Lines, of those that are too long only the first `MAX_INPUT` + 1 bytes."""
    try:
        while line := stdin.readline(MAX_INPUT + 1):
            end = line
            while not end.endswith(b"\n") and (end := stdin.readline(MAX_INPUT)):
                pass
            yield line
    except OSError as problem:
        raise OperatorError(f"cannot read standard input: {problem.strerror or problem}") from problem


def _message(line: bytes) -> dict[str, Any]:
    """Raises ValueError for what is no JSON object; `str()` says why."""
    if len(line) > MAX_INPUT:
        raise ValueError(f"a line of more than {MAX_INPUT} bytes")
    try:
        message = json.loads(line.decode(), parse_constant=_finite, parse_float=_finite)
    except UnicodeDecodeError:
        raise ValueError("a line that is not UTF-8") from None
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise ValueError("not a JSON object of this protocol")
    return message


def _finite(text: str) -> float:
    """JSON has no NaN and no Infinity, and the answer could not repeat them."""
    value = float(text)
    if not isfinite(value):
        raise ValueError("not a number of JSON")
    return value
