"""Two networks with a road between them: the one where server and bridge are, and that of somebody who travels.

Nothing of it is on the machine itself: see dino/namespace.py.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .bridge import wait_for
from .browser import CHROMIUM
from .dino.namespace import own_network

HOME = "198.51.100.1"  # of server and bridge; this and what follows is of documentation (RFC 5737)
FIRST = "198.51.100.2"  # of the traveller
OTHER_HOME = "203.0.113.1"
SECOND = "203.0.113.2"


class Traveller:
    """The network of somebody who travels. `pid`: a process that keeps it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def ip(self, *words: str) -> None:
        subprocess.run(["nsenter", f"--net=/proc/{self.pid}/ns/net", "ip", *words], check=True)

    def chromium(self, folder: Path) -> str:
        """A program that is Chromium in this network."""
        program = folder / "chromium"
        program.write_text(f'#!/bin/sh\nexec nsenter --net=/proc/{self.pid}/ns/net {CHROMIUM} "$@"\n')
        program.chmod(0o755)
        return str(program)

    def returns(self) -> None:
        """To the first network, whatever it is in."""
        self.ip("address", "flush", "dev", "road1")
        self.ip("address", "add", f"{FIRST}/24", "dev", "road1")

    def moves(self) -> None:
        """From one network to another: the address is gone, there is a different one, and the way home is another."""
        self.ip("address", "del", f"{FIRST}/24", "dev", "road1")
        self.ip("address", "add", f"{SECOND}/24", "dev", "road1")
        self.ip("route", "add", "default", "via", OTHER_HOME)


@contextmanager
def road() -> Iterator[Traveller]:
    """This thread sits in the network at HOME. Raises LabError where the system does not allow it."""
    with own_network():
        keeper = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        try:
            here = os.readlink("/proc/thread-self/ns/net")
            wait_for("the traveller's network", lambda: os.readlink(f"/proc/{keeper.pid}/ns/net") != here)
            traveller = Traveller(keeper.pid)
            words = ("link", "add", "road0", "type", "veth", "peer", "name", "road1", "netns", str(keeper.pid))
            subprocess.run(["ip", *words], check=True)
            for address in (HOME, OTHER_HOME):
                subprocess.run(["ip", "address", "add", f"{address}/24", "dev", "road0"], check=True)
            subprocess.run(["ip", "link", "set", "road0", "up"], check=True)
            traveller.ip("link", "set", "lo", "up")
            traveller.ip("address", "add", f"{FIRST}/24", "dev", "road1")
            traveller.ip("link", "set", "road1", "up")
            yield traveller
        finally:
            keeper.kill()
            keeper.wait()
