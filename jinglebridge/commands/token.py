"""`jinglebridge token create`: a way in for somebody, made on the operator's machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinglebridge.config import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    create = verbs.add_parser("create", help="print a token, and the link that holds it")
    create.add_argument("name", help="user name: the local part of the person's address")
    create.add_argument("--config", type=Path, required=True, metavar="FILE", help="configuration (TOML)")
    create.add_argument("--display-name", metavar="TEXT", help="what contacts see")
    create.add_argument("--contact", action="append", default=[], metavar="JID", help="an address this person may call; may be repeated")
    create.add_argument(
        "--lifetime", type=int, metavar="SECONDS", help="at most 300, the default: time to connect, not of the session; not with --device"
    )
    create.add_argument("--link", action="store_true", help="print the whole link instead of the bare token or credential")
    create.add_argument("--device", action="store_true", help="a lasting credential instead, for one browser: see `jinglebridge devices`")
    create.add_argument("--label", metavar="TEXT", help="what the list of devices calls it; only with --device")


def run(args: argparse.Namespace) -> int:
    from jinglebridge.config import load
    from jinglebridge.errors import UsageError

    if args.device and args.lifetime is not None:
        raise UsageError("--lifetime does not go with --device: a device stays signed in until 90 days after its last use")
    if args.label is not None and not args.device:
        raise UsageError("--label goes with --device")
    config = load(args.config)
    kind, secret = ("device", _device(config, args)) if args.device else ("token", _token(config, args))
    sys.stdout.write((f"{config.public_url}/#{kind}={secret}" if args.link else secret) + "\n")
    return 0


def _device(config: Config, args: argparse.Namespace) -> str:
    from jinglebridge.commands.devices import ask

    about = {"display_name": args.display_name, "label": args.label, "contacts": args.contact}
    return str(ask(config, "device-create", name=args.name, **about)["credential"])


def _token(config: Config, args: argparse.Namespace) -> str:
    from jinglebridge.errors import ConfigError, EndpointError, OperatorError
    from jinglebridge.web import tokens

    if not config.tokens.secret:
        raise ConfigError("[tokens] secret_file is missing: make one with `openssl rand -hex 32 > tokens.secret`")
    lifetime = tokens.MAX_LIFETIME if args.lifetime is None else args.lifetime
    about = {"name": args.display_name, "contacts": args.contact, "lifetime": lifetime}
    try:
        return tokens.create(config.tokens.secret, args.name, config.xmpp.domain, **about)
    except EndpointError as error:
        raise OperatorError(str(error)) from None
