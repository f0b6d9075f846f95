"""`jinglebridge stop`, `calls`, `doctor`: what an operator asks a running bridge."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinglebridge.errors import OperatorError

if TYPE_CHECKING:
    from jinglebridge.config import Config

STOP_HELP = "stop the running bridge in good order"
CALLS_HELP = "list the live calls, or show one"
DOCTOR_HELP = "look whether everything works, and say what to do about what does not"
MARKS = {"good": "ok  ", "warning": "WARN", "bad": "FAIL"}


def add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="configuration (TOML)")


def add_stop_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--end-calls", action="store_true", help="end all calls normally")


def add_calls_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("verb", nargs="?", choices=["show"], help="show one call")
    parser.add_argument("id", nargs="?", help="its call id or sid")
    parser.add_argument("--json", action="store_true", help="for machines")


def _ask(config: Config, command: str, **arguments: Any) -> dict[str, Any]:
    from jinglebridge.service.admin import ask

    return asyncio.run(ask(config.admin_socket, command, **arguments))


def stop(args: argparse.Namespace) -> int:
    from jinglebridge.config import load

    _ask(load(args.config), "stop", end_calls=args.end_calls)
    sys.stdout.write("stopping\n")
    return 0


def calls(args: argparse.Namespace) -> int:
    from jinglebridge.config import load

    if args.verb and not args.id:
        raise OperatorError("calls show needs the id of a call: `jinglebridge calls` lists them")
    live = _ask(load(args.config), "calls")["calls"]
    if args.verb:
        live = [c for c in live if args.id in (c["call"], c["sid"])]
        if not live:
            raise OperatorError(f"no live call has the id {args.id}")
    if args.json or args.verb:
        sys.stdout.write(json.dumps(live[0] if args.verb else live, indent=2) + "\n")
        return 0
    for c in live:
        arrow = "->" if c["direction"] == "out" else "<-"
        sys.stdout.write(f"{c['call']}  {c['own']} {arrow} {c['peer']}  {c['state']}  {'+'.join(c['media'])}  {c['seconds']:.0f} s\n")
    sys.stdout.write(f"{len(live)} live call{'' if len(live) == 1 else 's'}\n")
    return 0


def doctor(args: argparse.Namespace) -> int:
    """Exit status 1 if anything is bad; warnings are not."""
    from jinglebridge import log
    from jinglebridge.config import load
    from jinglebridge.service.doctor import static_checks

    config = load(args.config)
    log.configure("error")
    checks = [check.to_dict() for check in static_checks(config)]
    _print(checks)
    try:
        found = _ask(config, "doctor")["checks"]
    except OperatorError as error:
        if "no bridge is running" not in str(error):
            raise
        sys.stdout.write("      no bridge is running here: connecting just for this\n")
        found = asyncio.run(_examine_alone(config))
    _print(found)
    bad = sum(c["level"] == "bad" for c in checks + found)
    sys.stdout.write("all is well\n" if not bad else f"{bad} thing{'s' if bad > 1 else ''} to mend\n")
    return 1 if bad else 0


def _print(checks: list[dict[str, Any]]) -> None:
    for c in checks:
        sys.stdout.write(f"{MARKS[c['level']]}  {c['name']}: {c['text']}\n")
        if c["advice"]:
            sys.stdout.write(f"      → {c['advice']}\n")
    sys.stdout.flush()


async def _examine_alone(config: Config) -> list[dict[str, Any]]:
    """Start a bridge without its web side, examine it, stop it."""
    from jinglebridge.service import Bridge
    from jinglebridge.service.doctor import Check, examine

    bridge = Bridge(config, web=False)
    try:
        await bridge.start()
        return [c.to_dict() for c in await examine(bridge)]
    except OperatorError as error:
        return [Check("connection", "bad", str(error)).to_dict()]
    finally:
        await bridge.stop()
