"""The command line: `jinglebridge COMMAND …`. Each command lives in a file of its own and is imported only when asked for.

Exit status: 0 good, 1 something the operator can mend (or a doctor's finding), 2 wrong arguments or configuration,
3 the XMPP server cannot be used.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence

from jinglebridge import __version__
from jinglebridge.errors import JingleBridgeError, OperatorError

# command -> (module, add_arguments, run, help)
COMMANDS: dict[str, tuple[str, str, str, str]] = {
    "run": ("commands.run", "add_arguments", "run", "run the bridge"),
    "demo": ("demo.command", "add_arguments", "run", "start a private server, the bridge and a contact, and print a link"),
    "check-config": ("commands.check_config", "add_arguments", "run", "check a configuration file, or print a sample"),
    "doctor": ("commands.operate", "add_config", "doctor", "look whether everything works, and say what to do"),
    "token": ("commands.token", "add_arguments", "run", "make a token or a device credential that lets a person connect"),
    "devices": ("commands.devices", "add_arguments", "run", "list the devices that are signed in, or sign one out"),
    "link": ("commands.link", "add_arguments", "run", "make, list and take back guest links"),
    "calls": (
        "commands.operate",
        "add_calls_arguments",
        "calls",
        "list the calls of now and of the last hour, or show what happened in one",
    ),
    "backup": ("commands.backup", "add_arguments", "run", "copy the store, also while the bridge runs"),
    "stop": ("commands.operate", "add_stop_arguments", "stop", "stop the running bridge in good order"),
    "translate": ("commands.translate", "add_arguments", "run", "SDP to Jingle XML and back, in a pipe"),
}


def main(argv: Sequence[str] | None = None) -> int:
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="jinglebridge", description="Web pages call Jingle IM clients, and are called by them.")
    parser.add_argument("--version", action="version", version=f"jinglebridge {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    wanted = next((word for word in argv if not word.startswith("-")), None)
    for name, (module, add_arguments, _, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name == wanted:  # only the one that runs is imported
            getattr(importlib.import_module(f"jinglebridge.{module}"), add_arguments)(command)
    args, unknown = parser.parse_known_args(argv)
    if unknown:  # with the usage of the command, not of the whole program
        commands.choices[args.command].error(f"unrecognized arguments: {' '.join(unknown)}")
    module, _, run, _ = COMMANDS[args.command]
    handler: Callable[[argparse.Namespace], int] = getattr(importlib.import_module(f"jinglebridge.{module}"), run)
    try:
        return handler(args)
    except OperatorError as error:
        sys.stderr.write(f"jinglebridge: {error}\n")
        return error.exit_status
    except JingleBridgeError as error:
        sys.stderr.write(f"jinglebridge: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
