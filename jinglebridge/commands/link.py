"""`jinglebridge link create | list | revoke`: guest links, made on the operator's machine."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinglebridge.config import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    create = verbs.add_parser("create", help="make a link by which somebody without an account can call JID")
    create.add_argument("jid", metavar="JID", help="the address that is called")
    create.add_argument("--label", default="", metavar="TEXT", help="a name for the link; the guest sees it too")
    create.add_argument("--days", type=int, metavar="N", help="days until it ends, by default 7 or what [policy] link_days allows")
    create.add_argument("--once", action="store_true", help="good for one call only")
    create.add_argument("--audio-only", action="store_true", help="no video")
    create.add_argument("--presence", action="store_true", help="guests see whether JID is available")
    listed = verbs.add_parser("list", help="list the links, of one address or all")
    listed.add_argument("jid", nargs="?", metavar="JID")
    listed.add_argument("--json", action="store_true", help="for machines")
    revoke = verbs.add_parser("revoke", help="take a link back; calls by it end")
    revoke.add_argument("id", metavar="ID")
    # It may stand before the verb or behind it.
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration (TOML)")
    for verb in (create, listed, revoke):
        verb.add_argument("--config", type=Path, default=argparse.SUPPRESS, metavar="FILE", help="configuration (TOML)")


def run(args: argparse.Namespace) -> int:
    from jinglebridge.config import load
    from jinglebridge.errors import UsageError

    if args.config is None:
        raise UsageError("link needs --config FILE")
    config = load(args.config)
    match args.verb:
        case "create":
            answer = _ask(
                config,
                {
                    "do": "create",
                    "jid": args.jid,
                    "label": args.label,
                    "days": args.days,
                    "once": args.once,
                    "video": not args.audio_only,
                    "presence": args.presence,
                },
            )
            sys.stdout.write(answer["url"] + "\n")
        case "list":
            found = _ask(config, {"do": "list", "jid": args.jid})["links"]
            sys.stdout.write(json.dumps(found, indent=2) + "\n" if args.json else "".join(f"{line(link)}\n" for link in found))
        case _:
            _ask(config, {"do": "revoke", "id": args.id})
            sys.stdout.write("taken back\n")
    return 0


def _ask(config: Config, request: dict[str, Any]) -> dict[str, Any]:
    """Of the running bridge, or of the store if none runs. Raises OperatorError."""
    from jinglebridge import log
    from jinglebridge.errors import OperatorError
    from jinglebridge.service.admin import ask
    from jinglebridge.service.link_admin import without_bridge

    try:
        return asyncio.run(ask(config.admin_socket, "link", **request))
    except OperatorError as error:
        if "no bridge is running" not in str(error):
            raise
    log.configure("error")
    answer = without_bridge(config, request)
    if not answer["ok"]:
        raise OperatorError(answer["error"])
    return answer


def line(link: dict[str, Any]) -> str:
    """One link in the list."""
    until = f"until {datetime.fromtimestamp(link['expires'], UTC):%Y-%m-%d}" if link["expires"] else "without end"
    words = [until, *(["once"] if link["once"] else []), *([] if link["video"] else ["audio only"])]
    words += [*(["shows presence"] if link["presence"] else []), *([link["problem"]] if link["problem"] else [])]
    return f"{link['id']}  {link['owner']}  {', '.join(words)}{'  ' + link['label'] if link['label'] else ''}"
