"""A bridge that kills itself after its N-th effect: `killed_bridge.py CONFIG N`. Everything else is `jinglebridge run`. No tests here."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Any

from jinglebridge.commands import run
from jinglebridge.service.performer import Performer

carry_out = Performer._one
count = 0


def one(self: Performer, effect: Any) -> None:
    global count
    carry_out(self, effect)
    count += 1
    sys.stderr.write(f"effect {count} {type(effect).__name__}\n")
    if count == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)


Performer._one = one  # type: ignore[method-assign]
sys.exit(run.run(argparse.Namespace(config=Path(sys.argv[1]))))
