"""The descriptions and stanzas of a call: real ones of two browsers, other credentials, SSRCs, names and candidates in each call."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

from inputs import CORPUS, candidate, renamed

from jinglebridge.translate import sdp_to_xml
from jinglebridge.translate.trickle import candidate_from_sdp

NEGOTIATION = "chromium-156__chromium-156__av"  # audio and video, one bundle
CANDIDATES = 20
_BETWEEN = "\r\n#\r\n"


@dataclass(frozen=True)
class Half:
    """One side's description, as SDP and as Jingle, and its candidates (RTCIceCandidateInit, and <transport/> with one each)."""

    sdp: str
    jingle: str
    inits: tuple[dict[str, Any], ...]
    transports: tuple[str, ...]

    def stanza(self, action: str, sid: str) -> str:
        return re.sub(r"<jingle [^>]*>", f'<jingle xmlns="urn:xmpp:jingle:1" action="{action}" sid="{sid}">', self.jingle, count=1)


def negotiations(count: int, seed: int = 1) -> list[tuple[Half, Half]]:
    """(offer, answer) of `count` calls, no two alike; the same for the same arguments."""
    first = json.loads((CORPUS / f"{NEGOTIATION}.json").read_text())["rounds"][0]
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        offer, answer = renamed(first["offer"] + _BETWEEN + first["answer"], chance).split(_BETWEEN)
        found.append((_half(offer, "initiator", chance), _half(answer, "responder", chance)))
    return found


def _half(sdp: str, author: str, chance: random.Random) -> Half:
    ufrag, pwd = (re.search(rf"a=ice-{name}:(\S+)", sdp) for name in ("ufrag", "pwd"))
    assert ufrag is not None and pwd is not None
    lines = [_candidate(chance) + f" ufrag {ufrag[1]}" for _ in range(CANDIDATES)]
    inits = tuple({"candidate": line, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": ufrag[1]} for line in lines)
    transports = tuple(_transport(line, f"i{number}", ufrag[1], pwd[1]) for number, line in enumerate(lines))
    return Half(sdp, sdp_to_xml(sdp, author, peer="safe"), inits, transports)


def _candidate(chance: random.Random) -> str:
    """A candidate that is passed on: not one with an address of nobody, such as multicast."""
    while candidate_from_sdp(line := candidate(chance).removeprefix("a="), id="c1") is None:
        pass
    return line


def _transport(line: str, id: str, ufrag: str, pwd: str) -> str:
    words = line.removeprefix("candidate:").split(" ")
    more = dict(zip(words[6::2], words[7::2], strict=False))
    attributes = {
        "component": words[1], "foundation": words[0], "generation": "0", "id": id, "ip": words[4], "network": more.get("network-id", "0"),
        "port": words[5], "priority": words[3], "protocol": words[2], "type": more["typ"],
        **({"rel-addr": more["raddr"], "rel-port": more["rport"]} if "raddr" in more else {}),
    }  # fmt: skip
    inner = " ".join(f"{name}={quoteattr(value)}" for name, value in attributes.items())
    outer = f"xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag={quoteattr(ufrag)} pwd={quoteattr(pwd)}"
    return f"<transport {outer}><candidate {inner}/></transport>"


def transport_info(sid: str, transport: str) -> str:
    content = f"<content creator='initiator' name='0'>{transport}</content>"
    return f"<jingle xmlns='urn:xmpp:jingle:1' action='transport-info' sid='{sid}'>{content}</jingle>"


def terminate(sid: str) -> str:
    return f"<jingle xmlns='urn:xmpp:jingle:1' action='session-terminate' sid='{sid}'><reason><success/></reason></jingle>"


def jmi(element: str, id: str) -> str:
    """The children of a JMI message."""
    inner = {
        "propose": "".join(f"<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='{kind}'/>" for kind in ("audio", "video")),
        "finish": "<reason xmlns='urn:xmpp:jingle:1'><success/></reason>",
    }.get(element, "")
    return f"<{element} xmlns='urn:xmpp:jingle-message:0' id='{id}'>{inner}</{element}><store xmlns='urn:xmpp:hints'/>"
