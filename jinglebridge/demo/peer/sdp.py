"""SDP as aiortc writes and reads it, and the contents of a Jingle session: a mapping of the contact's own.

Written from XEP-0167 §6, XEP-0176 §5.3, XEP-0293, XEP-0294, XEP-0320 and XEP-0339; shares nothing with the bridge's translator.
"""

from __future__ import annotations

import secrets
import xml.etree.ElementTree as ET
from collections.abc import Iterable

from .names import DTLS, HDREXT, ICE_UDP, JINGLE, RTCP_FB, RTP, SSMA, Shape, q

DINO_OFFER: dict[str, list[tuple[str, str, str, str | None]]] = {
    "audio": [("111", "opus", "48000", "2"), ("112", "speex", "32000", None), ("113", "speex", "16000", None),
              ("114", "speex", "8000", None), ("9", "G722", "8000", None), ("0", "PCMU", "8000", None), ("8", "PCMA", "8000", None)],
    "video": [("98", "VP8", "90000", None)],
}  # fmt: skip
"""What Dino 0.4.2 of Debian offers. aiortc takes the numbers over from the answer, so it can be offered in its name."""

DINO_FEEDBACK = (("goog-remb", None), ("ccm", "fir"), ("nack", None), ("nack", "pli"))
KNOWN_CODECS = {"audio": ("opus", "G722", "PCMU", "PCMA"), "video": ("VP8",)}

# direction of the author's SDP -> senders, by the role of the author; and back
_SENDERS = {
    "initiator": {"sendrecv": "both", "sendonly": "initiator", "recvonly": "responder", "inactive": "none"},
    "responder": {"sendrecv": "both", "sendonly": "responder", "recvonly": "initiator", "inactive": "none"},
}
_DIRECTION = {role: {v: k for k, v in table.items()} for role, table in _SENDERS.items()}


def sections(sdp: str) -> tuple[list[str], list[list[str]]]:
    """Lines of the session part, and of each media section."""
    session: list[str] = []
    media: list[list[str]] = []
    for line in sdp.splitlines():
        if line.startswith("m="):
            media.append([])
        (media[-1] if media else session).append(line)
    return session, media


def values(lines: Iterable[str], name: str) -> list[str]:
    """Values of all ``a=name:value`` lines, in order."""
    head = f"a={name}:"
    return [line[len(head) :] for line in lines if line.startswith(head)]


def mid_of(section: list[str]) -> str:
    return values(section, "mid")[0]


def candidates_of(section: list[str]) -> list[dict[str, str]]:
    """Candidates of a section as the attributes of XEP-0176. TCP is left out: ice-udp has none."""
    return [c for c in (candidate_attributes(v) for v in values(section, "candidate")) if c["protocol"] == "udp"]


def candidate_attributes(value: str) -> dict[str, str]:
    foundation, component, protocol, priority, ip, port, _typ, kind, *rest = value.split()
    extra = dict(zip(rest[::2], rest[1::2], strict=False))
    attributes = {
        "foundation": foundation, "component": component, "protocol": protocol.lower(), "priority": priority,
        "ip": ip, "port": port, "type": kind, "generation": extra.get("generation", "0"), "network": "0", "id": secrets.token_hex(5),
    }  # fmt: skip
    if "raddr" in extra:
        attributes |= {"rel-addr": extra["raddr"], "rel-port": extra.get("rport", "9")}
    return attributes


def candidate_line(a: dict[str, str]) -> str:
    """``candidate:…`` for aiortc out of the attributes of a `<candidate/>`."""
    text = f"{a['foundation']} {a['component']} {a['protocol']} {a['priority']} {a['ip']} {a['port']} typ {a['type']}"
    if a.get("rel-addr"):
        text += f" raddr {a['rel-addr']} rport {a.get('rel-port', '9')}"
    return text


def content(session: list[str], section: list[str], name: str, role: str, shape: Shape) -> ET.Element:
    """One `<content/>` without candidates out of one section that we, in `role`, wrote as aiortc."""
    direction = next((d for d in _DIRECTION["initiator"].values() if f"a={d}" in section), "sendrecv")
    out = ET.Element(q(JINGLE, "content"), {"creator": "initiator", "name": name, "senders": _SENDERS[role][direction]})
    out.append(_dino_description(section, role) if shape.separate else _description(section))
    out.append(_transport(session, section))
    return out


def _description(section: list[str]) -> ET.Element:
    media, _port, _proto, *payloads = section[0][2:].split()
    description = ET.Element(q(RTP, "description"), {"media": media})
    for payload in payloads:
        _payload_type(description, section, payload)
    for value in values(section, "extmap"):
        number, uri = value.split()[:2]
        ET.SubElement(description, q(HDREXT, "rtp-hdrext"), {"id": number.partition("/")[0], "uri": uri})
    _sources(description, section)
    ET.SubElement(description, q(RTP, "rtcp-mux"))
    return description


def _payload_type(description: ET.Element, section: list[str], payload: str) -> None:
    attributes = {"id": payload}
    for value in values(section, "rtpmap"):
        number, _, encoding = value.partition(" ")
        if number == payload:
            name, rate, *channels = encoding.split("/")
            attributes |= {"name": name, "clockrate": rate} | ({"channels": channels[0]} if channels else {})
    element = ET.SubElement(description, q(RTP, "payload-type"), attributes)
    for value in values(section, "fmtp"):
        number, _, parameters = value.partition(" ")
        for part in parameters.split(";") if number == payload else ():
            key, _, val = part.strip().partition("=")
            ET.SubElement(element, q(RTP, "parameter"), {"name": key, "value": val} if val else {"value": key})
    for value in values(section, "rtcp-fb"):
        number, kind, *sub = value.split()
        if number in (payload, "*"):
            ET.SubElement(element, q(RTCP_FB, "rtcp-fb"), {"type": kind} | ({"subtype": sub[0]} if sub else {}))


def _sources(description: ET.Element, section: list[str]) -> None:
    for value in values(section, "ssrc"):
        ssrc, _, attribute = value.partition(" ")
        key, _, val = attribute.partition(":")
        source = next((e for e in description.findall(q(SSMA, "source")) if e.get("ssrc") == ssrc), None)
        if source is None:
            source = ET.SubElement(description, q(SSMA, "source"), {"ssrc": ssrc})
        ET.SubElement(source, q(SSMA, "parameter"), {"name": key, "value": val})
    for value in values(section, "ssrc-group"):
        semantics, *members = value.split()
        group = ET.SubElement(description, q(SSMA, "ssrc-group"), {"semantics": semantics})
        for member in members:
            ET.SubElement(group, q(SSMA, "source"), {"ssrc": member})


def _dino_description(section: list[str], role: str) -> ET.Element:
    """COMPAT(Dino 0.4.2): a fixed offer with SDES beside DTLS; an answer of one codec, without extensions and sources."""
    media = section[0][2:].split()[0]
    description = ET.Element(q(RTP, "description"), {"media": media})
    if role == "responder":
        _payload_type(description, section, section[0].split()[3])
        for feedback in description[0].findall(q(RTCP_FB, "rtcp-fb")):
            if (feedback.get("type"), feedback.get("subtype")) not in DINO_FEEDBACK:
                description[0].remove(feedback)
    else:
        for payload, name, rate, channels in DINO_OFFER[media]:
            attributes = {"id": payload, "clockrate": rate, "name": name} | ({"channels": channels} if channels else {})
            element = ET.SubElement(description, q(RTP, "payload-type"), attributes)
            if name == "opus":
                ET.SubElement(element, q(RTP, "parameter"), {"name": "useinbandfec", "value": "1"})
            for kind, sub in DINO_FEEDBACK if media == "video" else []:
                ET.SubElement(element, q(RTCP_FB, "rtcp-fb"), {"type": kind} | ({"subtype": sub} if sub else {}))
        if media == "video":
            ET.SubElement(description, q(HDREXT, "rtp-hdrext"), {"id": "1", "uri": "urn:3gpp:video-orientation"})
        encryption = ET.SubElement(description, q(RTP, "encryption"))
        key = "inline:" + secrets.token_urlsafe(30).replace("-", "+").replace("_", "/")
        ET.SubElement(encryption, q(RTP, "crypto"), {"crypto-suite": "AES_CM_128_HMAC_SHA1_80", "key-params": key, "tag": "1"})
    ET.SubElement(description, q(RTP, "rtcp-mux"))
    return description


def _transport(session: list[str], section: list[str]) -> ET.Element:
    lines = [*section, *session]
    transport = ET.Element(q(ICE_UDP, "transport"), {"ufrag": values(lines, "ice-ufrag")[0], "pwd": values(lines, "ice-pwd")[0]})
    for value in values(lines, "fingerprint"):
        kind, _, digest = value.partition(" ")
        if kind == "sha-256":  # aiortc writes three; XEP-0320 shows one, and real clients read one
            print_ = ET.SubElement(transport, q(DTLS, "fingerprint"), {"hash": kind, "setup": values(lines, "setup")[0]})
            print_.text = digest
            break
    return transport


def chosen_payloads(description: ET.Element, one: bool) -> list[ET.Element]:
    """The payload types aiortc gets to see: all, or for Dino's shape the first one it can do."""
    payloads = description.findall(q(RTP, "payload-type"))
    if not one:
        return payloads
    known = [name.lower() for name in KNOWN_CODECS[description.get("media", "")]]
    static = {"0": "pcmu", "8": "pcma", "9": "g722"}
    usable = [p for p in payloads if p.get("name", static.get(p.get("id", ""), "")).lower() in known]
    return usable[:1]


def description_sdp(contents: list[ET.Element], group: list[str], role: str, mids: dict[str, str], one_codec: bool) -> str:
    """SDP for aiortc out of the contents that the peer, in `role`, sent.

    Args:
        group: names of the BUNDLE group among these contents; empty = none.
        mids: content name to the mid aiortc shall see.
        one_codec: leave only the first codec that aiortc has (Dino's answers).
    """
    lines = ["v=0", f"o=- {secrets.randbelow(2**62)} 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    if group:
        lines.append("a=group:BUNDLE " + " ".join(mids[name] for name in group))
    lines.append("a=msid-semantic:WMS *")
    for element in contents:
        lines += _section_lines(element, role, mids[element.get("name", "")], one_codec)
    return "\r\n".join(lines) + "\r\n"


def _section_lines(element: ET.Element, role: str, mid: str, one_codec: bool) -> list[str]:
    description, transport = element.find(q(RTP, "description")), element.find(q(ICE_UDP, "transport"))
    if description is None or transport is None:
        raise ValueError("content without description or transport")
    payloads = chosen_payloads(description, one_codec)
    media = description.get("media", "")
    lines = [f"m={media} 9 UDP/TLS/RTP/SAVPF " + " ".join(p.get("id", "") for p in payloads), "c=IN IP4 0.0.0.0", f"a=mid:{mid}"]
    lines += [f"a={_DIRECTION[role][element.get('senders', 'both')]}", "a=rtcp-mux"]
    lines += [f"a=ice-ufrag:{transport.get('ufrag')}", f"a=ice-pwd:{transport.get('pwd')}", "a=ice-options:trickle"]
    for fingerprint in transport.findall(q(DTLS, "fingerprint")):
        lines += [f"a=fingerprint:{fingerprint.get('hash')} {(fingerprint.text or '').strip()}", f"a=setup:{fingerprint.get('setup')}"]
    for payload in payloads:
        lines += _payload_lines(payload)
    extensions = [] if one_codec else description.findall(q(HDREXT, "rtp-hdrext"))
    lines += [f"a=extmap:{e.get('id')} {e.get('uri')}" for e in extensions]
    for source in [] if one_codec else description.findall(q(SSMA, "source")):
        lines += [
            f"a=ssrc:{source.get('ssrc')} {p.get('name')}:{p.get('value', '')}"
            for p in source.findall(q(SSMA, "parameter"))
            if p.get("name") == "cname"
        ]
    lines += ["a=candidate:" + candidate_line(dict(c.attrib)) for c in usable_candidates(transport)]
    return lines


def _payload_lines(payload: ET.Element) -> list[str]:
    number = payload.get("id", "")
    lines: list[str] = []
    if payload.get("name"):
        channels = payload.get("channels", "1")
        lines.append(f"a=rtpmap:{number} {payload.get('name')}/{payload.get('clockrate')}" + (f"/{channels}" if channels != "1" else ""))
    parameters = [
        f"{p.get('name')}={p.get('value')}" if p.get("name") else p.get("value", "") for p in payload.findall(q(RTP, "parameter"))
    ]
    if parameters:
        lines.append(f"a=fmtp:{number} " + ";".join(parameters))
    return lines + [f"a=rtcp-fb:{number} {f.get('type')} {f.get('subtype', '')}".rstrip() for f in payload.findall(q(RTCP_FB, "rtcp-fb"))]


def usable_candidates(transport: ET.Element) -> list[ET.Element]:
    """With rtcp-mux only component 1 exists; names cannot be resolved."""
    found = transport.findall(q(ICE_UDP, "candidate"))
    return [c for c in found if c.get("component") == "1" and not c.get("ip", "").endswith(".local") and c.get("protocol") == "udp"]
