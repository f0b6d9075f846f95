"""Two networks with a road between them: the one where server and bridge are, and that of somebody who travels.

Nothing of it is on the machine itself: see dino/namespace.py.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .bridge import wait_for
from .dino.namespace import in_network, own_network

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

    def program(self, folder: Path, program: str) -> str:
        """A program that is this one in this network."""
        wrapper = folder / Path(program).name
        wrapper.write_text(f'#!/bin/sh\nexec nsenter --net=/proc/{self.pid}/ns/net {program} "$@"\n')
        wrapper.chmod(0o755)
        return str(wrapper)

    def socket(self, about: tuple[Any, ...]) -> socket.socket:
        """For a connection to 127.0.0.1 of this network, by which a browser there is steered. `about`: as of getaddrinfo."""
        with in_network(self.pid):
            return socket.socket(*about[:3])

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
