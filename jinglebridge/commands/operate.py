"""`jinglebridge stop`, `calls`, `doctor`: what an operator asks a running bridge."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinglebridge.errors import OperatorError, UsageError

if TYPE_CHECKING:
    from jinglebridge.config import Config

MARKS = {"good": "ok  ", "warning": "WARN", "bad": "FAIL"}


def add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="configuration (TOML)")


def add_stop_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--end-calls", action="store_true", help="end all calls normally")


def add_calls_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("verb", nargs="?", choices=["show"], help="what happened in one call, step by step")
    parser.add_argument("id", nargs="?", help="its call id or sid, or how one of them begins")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--unsafe", action="store_true", help="show: with SDP, candidates and stanzas, so with addresses and ICE passwords")


def _ask(config: Config, command: str, **arguments: Any) -> dict[str, Any]:
    from jinglebridge.service.admin import ask

    return asyncio.run(ask(config.admin_socket, command, **arguments))


def stop(args: argparse.Namespace) -> int:
    from jinglebridge.config import load

    _ask(load(args.config), "stop", end_calls=args.end_calls)
    sys.stdout.write("stopping\n")
    return 0


def calls(args: argparse.Namespace) -> int:
    from jinglebridge.commands import ladder
    from jinglebridge.config import load

    config = load(args.config)
    if args.verb:
        if not args.id:
            raise OperatorError("calls show needs the id of a call: `jinglebridge calls` lists them")
        call = _one_call(_ask(config, "show", id=args.id, unsafe=args.unsafe)["calls"], args.id)
        _write(call, args.json, lambda: ladder.one(call, unsafe=args.unsafe))
    elif args.unsafe:
        raise UsageError("--unsafe goes with `calls show ID`: the list holds nothing that it could show")
    else:
        found = _ask(config, "calls")["calls"]
        _write(found, args.json, lambda: ladder.listed(found))
    return 0


def _one_call(found: list[dict[str, Any]], id: str) -> dict[str, Any]:
    """Raises OperatorError unless there is exactly one."""
    if not found:
        raise OperatorError(f"no call of now or of the last hour has the id {id}: `jinglebridge calls` lists them")
    if len(found) > 1:
        ids = ", ".join(call["call"] for call in found[:5])
        raise OperatorError(f"{len(found)} calls have an id that begins with {id}: {ids}{', …' if len(found) > 5 else ''}")
    return found[0]


def _write(value: Any, as_json: bool, lines: Callable[[], Iterable[str]]) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n" if as_json else "".join(f"{line}\n" for line in lines()))


def doctor(args: argparse.Namespace) -> int:
    """Exit status 1 if anything is bad; warnings are not."""
    from jinglebridge import log
    from jinglebridge.config import load
    from jinglebridge.service.admin import NobodyThere
    from jinglebridge.service.doctor import static_checks

    config = load(args.config)
    log.configure("error")
    checks = [check.to_dict() for check in static_checks(config)]
    _print(checks)
    try:
        found = _ask(config, "doctor")["checks"]
    except NobodyThere:
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
    from jinglebridge.service.bridge import Bridge
    from jinglebridge.service.doctor import Check, examine

    bridge = Bridge(config, web=False)
    try:
        await bridge.start()
        return [c.to_dict() for c in await examine(bridge)]
    except OperatorError as error:
        return [Check("connection", "bad", str(error)).to_dict()]
    finally:
        await bridge.stop()
