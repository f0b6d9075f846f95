"""Whom a network address stands for, wherever something is counted by it.

Spec: DESIGN §5.
"""

from __future__ import annotations

import ipaddress


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
