"""What `jinglebridge doctor` looks at, and what it says to do.

`examine` works on a bridge that is connected: a running one (through the admin socket) or one that the command started for it.
"""

from __future__ import annotations

import asyncio
import secrets
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jinglebridge.calls.model import Endpoint
from jinglebridge.config import Config, is_loopback
from jinglebridge.errors import ProtocolError
from jinglebridge.media.probe import ProbeEndpoint
from jinglebridge.web import jwks
from jinglebridge.xmpp import caps
from jinglebridge.xmpp.extdisco import IceServer

if TYPE_CHECKING:
    from jinglebridge.service.bridge import Bridge

RELAY_WITHIN = 6.0  # seconds


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
    checks = [self_check(bridge), await server_info(bridge), privileges(bridge), *await stun_turn(bridge)]
    checks += await key_sets(bridge.config)
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


async def stun_turn(bridge: Bridge) -> list[Check]:
    servers = await bridge.ice.servers(f"echo@{bridge.config.xmpp.domain}/echo")
    if not bridge.ice.has_turn:
        why = f"the server answered {bridge.ice.problem}" if bridge.ice.problem else "the server offers no TURN to the component"
        advice = "let mod_stun_disco answer the component (ejabberd/README.md), or fill in [turn] (docs/how-to/turn.md)"
        return [Check("STUN/TURN", "warning", f"{why}: calls to people behind strict firewalls stay silent", advice)]
    checks = [Check("STUN/TURN", "good", f"{len(servers)} services, TURN among them")]
    expires = min((s.expires for s in servers if s.expires is not None), default=None)
    longest = bridge.config.longest_call
    if expires is not None and expires < longest:
        advice = f"let the server's credentials live longer (credentials_lifetime), or set [limits] call = {max(1, expires - 60)}"
        text = f"credentials live {expires} s, but a call may take {longest:.0f} s: a relayed one would fall silent"
        checks.append(Check("relay credentials", "warning", text, advice))
    return checks + [await relay(s) for s in servers if s.urls[0].startswith("turn")]


async def relay(server: IceServer) -> Check:
    """Ask a TURN server for a relayed address, as a browser would."""
    import aioice.stun
    import aioice.turn

    kind, host, port, transport = _turn_address(server.urls[0])
    name = f"relay {kind}:{host}:{port}/{transport}"
    advice = "is it running, and do the firewalls let this port through? From the outside it may still differ"
    try:
        async with asyncio.timeout(RELAY_WITHIN):
            made, _ = await aioice.turn.create_turn_endpoint(
                asyncio.DatagramProtocol, server_addr=(host, port), username=server.username, password=server.credential,
                ssl=kind == "turns", transport=transport,
            )  # fmt: skip
    except TimeoutError:
        return Check(name, "bad", f"no answer within {RELAY_WITHIN:.0f} s", advice)
    except aioice.stun.TransactionFailed as error:
        code, text = error.response.attributes.get("ERROR-CODE", (0, ""))
        wrong = code in (401, 441)
        return Check(name, "bad", f"refused: {code} {text}", "the secret of [turn] and that of the relay differ" if wrong else advice)
    except (aioice.stun.TransactionError, OSError) as error:
        return Check(name, "bad", f"cannot be used: {error}", advice)
    address = made.get_extra_info("sockname")[0]
    made.close()
    return Check(name, "good", f"relays by {address}")


def _turn_address(url: str) -> tuple[str, str, int, str]:
    """(turn or turns, host, port, udp or tcp) of a URL of ours. RFC 7065."""
    kind, _, rest = url.partition(":")
    where, _, query = rest.partition("?")
    host, _, port = where.rpartition(":") if where.rpartition(":")[2].isdecimal() else (where, "", "")
    default = 5349 if kind == "turns" else 3478
    return kind, (host or where).strip("[]"), int(port or default), "tcp" if query == "transport=tcp" or kind == "turns" else "udp"


async def key_sets(config: Config) -> list[Check]:
    """Can the public keys of the sites be had?"""
    checks = []
    for place in (key.jwks for key in config.tokens.all_keys if key.jwks):
        try:
            found = await jwks.read(place)
        except jwks.Unusable as error:
            advice = "is the address right, and can this machine reach it? Nobody comes in by tokens signed with these keys"
            checks.append(Check(f"keys {place}", "bad", str(error), advice))
            continue
        if found:
            checks.append(Check(f"keys {place}", "good", ", ".join(f"{key.id or 'without kid'} ({key.algorithm})" for key in found)))
        else:
            advice = "publish the public key of the site: RSA of 2048 bits or more, P-256 or Ed25519"
            checks.append(Check(f"keys {place}", "bad", "no key in it can be used", advice))
    return checks


def privileges(bridge: Bridge) -> Check:
    granted = ", ".join(f"{access} ({kind})" for access, kind in sorted(bridge.privileges.granted.items()))
    return Check("privileges", "good", f"granted by the server: {granted}" if granted else "none granted by the server, none needed")


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
