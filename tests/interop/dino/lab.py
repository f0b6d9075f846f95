"""The lab: a network of its own, a private ejabberd in it, and one Dino that is logged in there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jinglebridge.demo.lab import Ejabberd

from .client import Dino
from .desktop import Desktop
from .namespace import ADDRESS, own_network

C2S = 5222  # Dino tries SRV records, which nobody has here, and then this port


@contextmanager
def lab(folder: Path, hz: int, user: str = "dina") -> Iterator[Dino]:
    """Whatever this thread starts inside (bridge, browser) is in the same network. The microphone plays `hz`. Raises LabError."""
    with own_network():
        server = Ejabberd(folder / "ejabberd", shaper="none")
        server.c2s = C2S
        server.turn = ADDRESS  # Dino has no way to 127.0.0.1
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
