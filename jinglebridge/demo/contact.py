"""An IM contact that calls and can be called: ``python contact.py --jid echo@im.test --password … --host 127.0.0.1 --port 5222``.

It is an ordinary XMPP account with a Jingle client of its own. It imports nothing of jinglebridge but the files of the folder
``peer`` beside it, which in turn import only slixmpp, aiortc (with aioice and av), ElementTree and the standard library.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__" and not __package__:  # run as a file: make the folder above the package importable
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from jinglebridge.demo.peer.client import Contact, Options
from jinglebridge.demo.peer.control import AUTO, Control
from jinglebridge.demo.peer.names import SHAPES
from jinglebridge.demo.peer.rtc import gather_loopback_only

START = 20.0  # seconds for the first login


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="An IM contact that speaks Jingle by itself and echoes calls.")
    parser.add_argument("--jid", required=True, help="account, with or without a resource")
    parser.add_argument("--password", default=os.environ.get("CONTACT_PASSWORD"), help="or the environment variable CONTACT_PASSWORD")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5222)
    parser.add_argument("--ca", type=Path, help="PEM file with the server's certificate, if it is self-signed")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="modern", help="modern: like Conversations; dino: like Dino 0.4.2")
    parser.add_argument("--control", type=Path, help="unix socket for commands")
    parser.add_argument("--loopback", action="store_true", help="gather 127.0.0.1 only, which aioice by itself never does")
    parser.add_argument("--turn", action="store_true", help="use the TURN server that our XMPP server names (XEP-0215)")
    parser.add_argument("--tone", type=float, help="say this tone (Hz) and show a pattern instead of the echo")
    parser.add_argument("--auto", choices=AUTO, default="accept", help="what to do with a call that comes in")
    parser.add_argument("--answer-after", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--verbose", action="store_true")
    return parser


async def serve(args: argparse.Namespace) -> int:
    gather_loopback_only(args.loopback)
    shape = SHAPES[args.shape]
    contact = Contact(
        Options(args.jid, args.password, args.host, args.port, shape, args.ca, args.auto, args.answer_after, args.tone, args.turn)
    )
    control = Control(contact)
    server = await control.listen(args.control) if args.control else None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, control.stopped.set)
    contact.connect()
    stopped = asyncio.ensure_future(control.stopped.wait())
    ready = asyncio.ensure_future(contact.ready.wait())
    waited: list[asyncio.Future[Any]] = [stopped, ready, contact.failed]
    await asyncio.wait(waited, timeout=START, return_when=asyncio.FIRST_COMPLETED)
    problem = contact.failed.result() if contact.failed.done() else ""
    if not problem and not ready.done() and not stopped.done():
        problem = f"{args.jid}: no session with {args.host}:{args.port} within {START:.0f} s"
    if not problem:
        if ready.done():
            print(f"online as {contact.full}", flush=True)  # noqa: T201 - this is what whoever started us waits for
        await stopped
    await contact.stop()
    if server and args.control:
        server.close()
        args.control.unlink(missing_ok=True)
    if problem:
        print(problem, file=sys.stderr, flush=True)  # noqa: T201
    return 1 if problem else 0


def main() -> int:
    args = arguments().parse_args()
    logging.basicConfig(level=logging.DEBUG if args.verbose else logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("contact").setLevel(logging.DEBUG if args.verbose else logging.INFO)
    if not args.password:
        print("no password: give --password or CONTACT_PASSWORD", file=sys.stderr)  # noqa: T201
        return 2
    return asyncio.run(serve(args))


if __name__ == "__main__":
    sys.exit(main())
