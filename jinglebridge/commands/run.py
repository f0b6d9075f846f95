"""`jinglebridge run`: start the bridge and keep it running until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import signal
from pathlib import Path

HELP = "run the bridge"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="configuration (TOML)")


def run(args: argparse.Namespace) -> int:
    """Raises OperatorError."""
    import uvloop

    from jinglebridge import log
    from jinglebridge.config import load

    config = load(args.config)
    log.configure(config.log.level, config.log.format)
    _open_many_files()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(config))


def _open_many_files() -> None:
    """As many as the system allows: each open page is a file, and the usual limit to begin with is 1024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _collect_less() -> None:
    """What was loaded until now stays, and what lives is rarely looked at: a full collection stops all calls, for the longer the more
    there are. Calls leave no cycles that would have to be found (the memory after thousands of them is the same either way)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 1_000)


async def _serve(config: object) -> int:
    from jinglebridge.config import Config
    from jinglebridge.service.bridge import Bridge

    assert isinstance(config, Config)
    bridge = Bridge(config)
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    try:
        starting = asyncio.create_task(bridge.start())
        waits = {starting, asyncio.create_task(asked.wait()), asyncio.create_task(bridge.stopped.wait())}
        while not (asked.is_set() or bridge.stopped.is_set()):
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if starting in waits and starting.done():
                waits.discard(starting)
                await starting  # an OperatorError ends the process with its own status
                _collect_less()
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    finally:
        await bridge.stop()
    return 0
