"""`jinglebridge backup`: a copy of the store that can take its place."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinglebridge.config import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="where to write it; must not exist")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="configuration (TOML)")


def run(args: argparse.Namespace) -> int:
    from jinglebridge.config import load

    config, target = load(args.config), args.file.absolute()
    asyncio.run(_copy(config, target))
    place = _database(config)
    sys.stdout.write(f"{target}: {target.stat().st_size // 1024 + 1} KiB\n")
    sys.stdout.write(
        f"To restore it: stop the bridge, remove {place}-wal and {place}-shm, put the copy in place of {place}, start the bridge\n"
    )
    return 0


async def _copy(config: Config, target: Path) -> None:
    """By the bridge that runs, which has the latest; by us if none does. Raises OperatorError."""
    from jinglebridge.errors import OperatorError
    from jinglebridge.service.admin import NobodyThere, ask
    from jinglebridge.store.alone import alone

    try:
        await ask(config.admin_socket, "backup", file=str(target))
    except NobodyThere:
        if not _database(config).exists():
            raise OperatorError(f"{_database(config)}: no such file: there is nothing to back up") from None
        with alone(Path(config.store.path)) as store:
            await store.backup(target)


def _database(config: Config) -> Path:
    from jinglebridge.store.sqlite import FILE

    return Path(config.store.path) / FILE
