"""`jinglebridge check-config`: is this file right?"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HELP = "check a configuration file, or print a commented sample"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, nargs="?", help="configuration (TOML)")
    parser.add_argument("--sample", action="store_true", help="print a commented sample and do nothing else")


def run(args: argparse.Namespace) -> int:
    """Raises ConfigError, which says what is wrong and what to do."""
    from jinglebridge.config import load, sample
    from jinglebridge.errors import ConfigError

    if args.sample:
        sys.stdout.write(sample())
        return 0
    if args.file is None:
        raise ConfigError("name a configuration file, or use --sample")
    config = load(args.file)
    sys.stdout.write(
        f"{args.file}: good. Component {config.xmpp.domain} at {config.xmpp.host}:{config.xmpp.port}, pages at {config.public_url}\n"
    )
    return 0
