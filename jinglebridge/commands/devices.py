"""`jinglebridge devices`: who is signed in where, and signing a device out. A running bridge is asked; without one the store is."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinglebridge.config import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="configuration (TOML)")
    parser.add_argument("name", nargs="?", help="only those of this person (a user name, or an XMPP address that was proved); or `revoke`")
    parser.add_argument("id", nargs="?", help="after `revoke`: the device to sign out; its sessions and calls end")
    parser.add_argument("--json", action="store_true", help="for machines")


def run(args: argparse.Namespace) -> int:
    from jinglebridge.config import load
    from jinglebridge.errors import UsageError

    if (args.name == "revoke") != (args.id is not None):
        raise UsageError("`devices [NAME]` lists, `devices revoke ID` signs one out")
    config = load(args.config)
    if args.id is not None:
        ask(config, "device-revoke", id=args.id)
        sys.stdout.write(f"{args.id} is signed out\n")
        return 0
    found = ask(config, "devices", user=args.name)["devices"]
    sys.stdout.write(json.dumps(found, indent=2) + "\n" if args.json else _listed(found))
    return 0


def ask(config: Config, command: str, **arguments: Any) -> dict[str, Any]:
    """Have a command of `service.devices.operate` done, by the running bridge or here. Raises OperatorError."""
    from jinglebridge.errors import OperatorError
    from jinglebridge.service import admin

    try:
        return asyncio.run(admin.ask(config.admin_socket, command, **arguments))
    except admin.NobodyThere:
        answer = _alone(config, {"command": command, **arguments})
    if not answer["ok"]:
        raise OperatorError(str(answer["error"]))
    return answer


def _alone(config: Config, request: dict[str, Any]) -> dict[str, Any]:
    """Raises OperatorError."""
    from jinglebridge import log
    from jinglebridge.service.devices import Devices, operate
    from jinglebridge.store.alone import alone

    log.configure("warning")
    with alone(Path(config.store.path)) as store:
        return operate(Devices(store, config.xmpp.domain, time.time), request)


def _listed(devices: list[dict[str, Any]]) -> str:
    if not devices:
        return "no device is signed in\n"
    rows = [("DEVICE", "PERSON", "VOUCHED", "LAST USED", "LABEL")]
    rows += [(d["id"], d["user"], f"by {d['by']}", d["used"][:16].replace("T", " "), d["label"]) for d in devices]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return "".join("  ".join([*(row[i].ljust(widths[i]) for i in range(4)), row[4]]).rstrip() + "\n" for row in rows)
