"""What `jinglebridge doctor` looks at, and what it says to do.

`examine` works on a bridge that is connected: a running one (through the admin socket) or one that the command started for it.
"""

from __future__ import annotations

import secrets
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jinglebridge.calls.model import Endpoint
from jinglebridge.config import Config, is_loopback
from jinglebridge.errors import ProtocolError
from jinglebridge.media.probe import ProbeEndpoint
from jinglebridge.xmpp import caps

if TYPE_CHECKING:
    from jinglebridge.service.bridge import Bridge


@dataclass(frozen=True, slots=True)
class Check:
    """`level`: good, warning or bad. `advice` says what to do about the latter two."""

    name: str
    level: str
    text: str
    advice: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "level": self.level, "text": self.text, "advice": self.advice}


def static_checks(config: Config) -> list[Check]:
    """What can be seen without a connection."""
    url = urlsplit(config.public_url)
    checks = [Check("configuration", "good", f"component {config.xmpp.domain}, users of {config.server} may call in")]
    if url.scheme == "https":
        checks.append(Check("https", "good", f"pages are at {config.public_url}"))
    elif is_loopback(url.hostname or ""):
        advice = "fine for trying; before others use it set [web] public_url to an https address"
        checks.append(Check("https", "warning", f"pages are at {config.public_url}, on this machine only", advice))
    if not config.tokens.all_keys:
        advice = "set [tokens] secret_file or jwks for a site that lets its users in; nothing to do if no site shall"
        text = "no token lets anybody in: only who proves an XMPP address, or was invited with `jinglebridge token create NAME --device`"
        checks.append(Check("tokens", "warning", text, advice))
    return checks


async def examine(bridge: Bridge) -> list[Check]:
    """Everything that needs the connection. Takes some seconds; live calls are not disturbed."""
    checks = [self_check(bridge), await server_info(bridge), await stun_turn(bridge)]
    if bridge.config.policy.echo:
        checks.append(await echo_call(bridge))
    return checks


def self_check(bridge: Bridge) -> Check:
    if bridge.link.ready:
        return Check("self-check", "good", "connected, and the only bridge on this domain")
    return Check("self-check", "bad", "stanzas to ourselves get lost", "stop the other bridge on this domain, or look at the server's load")


async def server_info(bridge: Bridge) -> Check:
    server = bridge.config.server
    query = ET.Element(f"{{{caps.INFO}}}query")
    payload, condition = await bridge.requests.get(bridge.config.xmpp.domain, server, query)
    if payload is None:
        advice = f"correct [xmpp] server: it must be the domain that the accounts of {bridge.config.xmpp.host} have"
        return Check("server", "bad", f"{server} does not answer disco#info ({condition})", advice)
    name = next((e.get("name", "") for e in payload if e.get("category") == "server"), "")
    return Check("server", "good", f"{server} answers{' as ' + name if name else ''}")


async def stun_turn(bridge: Bridge) -> Check:
    servers = await bridge.ice.servers(f"echo@{bridge.config.xmpp.domain}/echo")
    if bridge.ice.has_turn:
        return Check("STUN/TURN", "good", f"{len(servers)} services, TURN among them")
    why = f"the server answered {bridge.ice.problem}" if bridge.ice.problem else "the server offers no TURN to the component"
    return Check("STUN/TURN", "warning", why, "let mod_stun_disco answer the component (ejabberd/README.md), or fill in [turn]")


async def echo_call(bridge: Bridge) -> Check:
    """A real call through the server: our own probe calls echo@ and listens for its tone."""
    domain = bridge.config.xmpp.domain
    probe = ProbeEndpoint(f"probe@{domain}/{secrets.token_urlsafe(16)}", bridge.submit)
    bridge.media[probe.jid] = probe
    bridge.registry.online(Endpoint(probe.jid, "doctor", anyone=True))
    try:
        problem = await probe.run(f"echo@{domain}")
    except ProtocolError as error:
        problem = str(error)
    finally:
        bridge.remove_media(probe)
        await probe.close()
    if not problem:
        return Check("echo call", "good", f"called echo@{domain} through the server; the tone of {probe.hz} Hz came back")
    return Check("echo call", "bad", problem, "look at the bridge's log for the call's sid")
