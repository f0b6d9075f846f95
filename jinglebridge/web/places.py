"""Whom a network address stands for, wherever something is counted by it.

Spec: DESIGN §5.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable


def network_of(address: str) -> str:
    """Whom an address stands for: itself, or with IPv6 the network of 64 bits, which one client has to itself."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 4:
        return address
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, 64), strict=False))


class Crowd:
    """How many connections there are from each network, `most` at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._there: Counter[str] = Counter()

    def enter(self, address: str) -> Callable[[], None] | None:
        """To be called once when the connection is gone; None: too many are there."""
        place = network_of(address)
        if self._there[place] >= self._most:
            return None
        self._there[place] += 1

        def leave() -> None:
            self._there[place] -= 1
            if not self._there[place]:
                del self._there[place]

        return leave
