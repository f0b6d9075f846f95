"""XEP-0215 1.0.0 External Service Discovery: the server's STUN and TURN, asked for each web user.

Spec: XEP-0215 §3.1, §3.3; RFC 7064, 7065; J-228 … J-234.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import UTC, datetime

from jinglebridge.xmpp.requests import Requests

NS = "urn:xmpp:extdisco:2"
PORTS = {"stun": 3478, "turn": 3478, "stuns": 5349, "turns": 5349}
MAX_STUN, MAX_TURN = 1, 3


@dataclass(frozen=True, slots=True)
class IceServer:
    """RTCIceServer; `expires` in seconds from now, None = never."""

    urls: tuple[str, ...]
    username: str = ""
    credential: str = ""
    expires: int | None = None


async def ask(requests: Requests, sender: str, server: str, now: datetime) -> tuple[list[IceServer], str | None]:
    """The services that `server` grants to `sender`: (services, None), or ([], why not). J-229."""
    payload, condition = await requests.get(sender, server, ET.Element(f"{{{NS}}}services"))
    if condition is not None or payload is None:
        return [], condition or "empty answer"
    servers = [s for e in payload.iterfind(f"{{{NS}}}service") if (s := read(e, now)) is not None]
    return limit(servers), None


def read(service: ET.Element, now: datetime) -> IceServer | None:
    """One <service/> as RTCIceServer, or None if a browser cannot use it. J-230, J-231."""
    kind, host, port = service.get("type", ""), service.get("host", ""), service.get("port", "")
    transport = service.get("transport", "udp").lower()
    if kind not in PORTS or not host or not _plain(host) or (port and not port.isdecimal()):
        return None
    where = f"[{host}]" if ":" in host and not host.startswith("[") else host
    url = f"{kind}:{where}:{port or PORTS[kind]}"
    if kind in ("stun", "stuns"):
        return IceServer((url,))  # Chromium throws on ?transport= here
    username, password = service.get("username", ""), service.get("password", "")
    if not username or not password or transport not in ("udp", "tcp") or (kind == "turns" and transport == "udp"):
        return None
    return IceServer((f"{url}?transport={transport}",), username, password, _seconds_left(service.get("expires"), now))


def limit(servers: list[IceServer]) -> list[IceServer]:
    """Browsers slow down with more than a few. J-234."""
    stun = [s for s in servers if s.urls[0].startswith("stun")]
    turn = [s for s in servers if s.urls[0].startswith("turn")]
    return stun[:MAX_STUN] + turn[:MAX_TURN]


def _plain(host: str) -> bool:
    return all(c.isalnum() or c in ".-:[]_" for c in host)


def _seconds_left(text: str | None, now: datetime) -> int | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now.timestamp())
