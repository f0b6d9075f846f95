"""The lab: a network of its own, a private server in it, and one Dino that is logged in there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jinglebridge.demo.lab import Ejabberd, Prosody

from .client import Dino
from .desktop import Desktop
from .namespace import ADDRESS, own_network

PRIORITY = -10
C2S = 5222  # Dino tries SRV records, which nobody has here, and then this port


@contextmanager
def before_others() -> Iterator[None]:
    """This process, and what it starts, gets the processor first: sound is made in real time, and Dino does without what comes late."""
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    with suppress(PermissionError):  # root of a user namespace may not
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, usual)


@contextmanager
def lab(folder: Path, hz: int, user: str = "dina", *, prosody: bool = False) -> Iterator[Dino]:
    """With ejabberd, or Prosody (which has no relay).

    Whatever this thread starts inside (bridge, browser) is in the same network. The microphone plays `hz`. Raises LabError."""
    with own_network(), before_others():
        server: Ejabberd | Prosody
        if prosody:
            server = Prosody(folder / "prosody")
        else:
            server = Ejabberd(folder / "ejabberd", shaper="none")
            server.turn = ADDRESS  # Dino has no way to 127.0.0.1
        server.c2s = C2S
        desktop = Desktop(folder / "desktop", hz)
        try:
            server.start()
            desktop.start()
            dino = Dino(desktop, server, user)
            dino.start()
            yield dino
        finally:
            desktop.stop()
            server.stop()
