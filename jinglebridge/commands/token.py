"""`jinglebridge token create`: a way in for somebody, made on the operator's machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HELP = "make a token that lets a person connect"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    create = verbs.add_parser("create", help="print a token, and the link that holds it")
    create.add_argument("name", help="user name: the local part of the person's address")
    create.add_argument("--config", type=Path, required=True, metavar="FILE", help="configuration (TOML)")
    create.add_argument("--display-name", metavar="TEXT", help="what contacts see")
    create.add_argument("--contact", action="append", default=[], metavar="JID", help="an address this person may call; may be repeated")
    create.add_argument(
        "--lifetime", type=int, default=300, metavar="SECONDS", help="at most 300, the default: time to connect, not of the session"
    )
    create.add_argument("--link", action="store_true", help="print the whole link instead of the bare token")
    create.add_argument("--device", action="store_true", help="a lasting credential instead (not yet)")


def run(args: argparse.Namespace) -> int:
    from jinglebridge.config import load
    from jinglebridge.errors import ConfigError, EndpointError, OperatorError
    from jinglebridge.web import tokens

    config = load(args.config)
    if args.device:
        raise OperatorError("device credentials come with a later version; leave out --device")
    if not config.tokens.secret:
        raise ConfigError("[tokens] secret_file is missing: make one with `openssl rand -hex 32 > tokens.secret`")
    try:
        token = tokens.create(
            config.tokens.secret,
            args.name,
            config.xmpp.domain,
            name=args.display_name,
            contacts=args.contact,
            lifetime=args.lifetime,
        )
    except EndpointError as error:
        raise OperatorError(str(error)) from None
    sys.stdout.write((f"{config.public_url}/#token={token}" if args.link else token) + "\n")
    return 0
