"""`jinglebridge translate`: SDP on standard input becomes Jingle XML on standard output, or the reverse."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TextIO

from jinglebridge.errors import OperatorError, ProtocolError
from jinglebridge.translate import sdp_to_xml, xml_to_sdp
from jinglebridge.translate.policy import POLICIES
from jinglebridge.translate.stream import StreamTranslator

MAX_FRAME = 256 * 1024  # characters of one line of --stream


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.description = __doc__
    parser.add_argument("--to", choices=("xml", "sdp"), default="xml", help="what to write (default: %(default)s)")
    parser.add_argument("--author", choices=("initiator", "responder"), default="initiator", help="session role of the described side")
    parser.add_argument("--peer", choices=tuple(POLICIES), default="none", help="leave out what this kind of peer cannot take")
    parser.add_argument("--extensions", action="store_true", help="carry what has no Jingle form (comes with the complete translator)")
    parser.add_argument("--validate", action="store_true", help="check the XML against the schemas (comes with the next milestone)")
    parser.add_argument("--stream", action="store_true", help="one JSON message per line in, one out; side A is the initiator")


def run(args: argparse.Namespace, stdin: TextIO | None = None, stdout: TextIO | None = None) -> int:
    """From `stdin` to `stdout`, by default the process's. Exit status 0; 1 with a line of explanation for input that cannot be translated.

    Raises: OperatorError for bad input or an option that is not there yet; `str()` says why.
    """
    stdin, stdout = stdin or sys.stdin, stdout or sys.stdout
    if args.validate:
        raise OperatorError("--validate comes with the next milestone: leave the option out")
    if args.extensions:
        raise OperatorError("--extensions comes with the complete translator: leave the option out")
    if args.stream:
        return _stream(StreamTranslator(POLICIES[args.peer]), stdin, stdout)
    translate = sdp_to_xml if args.to == "xml" else xml_to_sdp
    try:
        text = translate(stdin.read(), args.author, peer=args.peer)
    except (ProtocolError, UnicodeDecodeError) as problem:
        raise OperatorError(f"cannot translate: {problem}") from problem
    stdout.write(text if text.endswith("\n") else text + "\n")
    return 0


def _stream(translator: StreamTranslator, stdin: TextIO, stdout: TextIO) -> int:
    for line in stdin:
        try:
            message = json.loads(line) if len(line) <= MAX_FRAME else None
        except (ValueError, RecursionError):
            message = None
        reply = translator.handle(message) if isinstance(message, dict) else {"id": None, "error": "not a JSON object of this protocol"}
        stdout.write(json.dumps(reply) + "\n")
        stdout.flush()
    return 0
