"""What the contact demands of whoever talks to it: the sum of what the strictest real clients demand.

Each function returns sentences; an empty list means the stanza is fine. Nothing here repairs or refuses: the call goes on as
far as it can, and the report says what was wrong. COMPAT(Dino 0.4.2): where Dino itself breaks a rule, `dino` switches it off.

Sources: clients of 2023-2026 as read and run; XEP-0166, 0167, 0176, 0184, 0293, 0294, 0320, 0338, 0353; RFC 8839, 8842.
"""

from __future__ import annotations

import ipaddress
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable

from .names import (
    CALLABLE,
    DTLS,
    GROUPING,
    HDREXT,
    ICE_UDP,
    JINGLE,
    JMI,
    NO_TRICKLE_FEATURE,
    RTCP_FB,
    RTP,
    RTP_INFO,
    SSMA,
    bare,
    is_full,
    local,
    namespace,
    q,
)

CANDIDATE_ATTRIBUTES = ("component", "foundation", "generation", "id", "ip", "network", "port", "priority", "protocol", "type")
NO_GROUP = "two contents and no BUNDLE group"
CANDIDATE_TYPES = ("host", "srflx", "prflx", "relay")
REASONS = (
    "alternative-session busy cancel connectivity-error decline expired failed-application failed-transport general-error gone "
    "incompatible-parameters media-error security-error success timeout unsupported-applications unsupported-transports"
).split()
INFOS = ("active", "hold", "unhold", "mute", "unmute", "ringing")
ICE_CHARS = re.compile(r"[A-Za-z0-9+/]+")
FINGERPRINT = re.compile(r"([0-9A-F]{2}:){31}[0-9A-F]{2}")
NUMBER = re.compile(r"[0-9]+")


def number(value: str | None, low: int, high: int) -> bool:
    return value is not None and NUMBER.fullmatch(value) is not None and low <= int(value) <= high


def blanks(element: ET.Element) -> list[str]:
    """Conversations and Monal read attributes verbatim: no blanks inside."""
    return [
        f"<{local(e)}> has a blank in {key}={value!r}"
        for e in element.iter()
        for key, value in e.attrib.items()
        if re.search(r"\s", value) and local(e) not in ("text", "parameter", "crypto")
    ]


def presence_disco(query: ET.Element, ver: str, computed: str, video: bool = True) -> list[str]:
    """disco#info of a callable session; `computed` is the hash over `query`."""
    found = [f"caps hash is {ver!r}, the answer hashes to {computed!r}"] if ver != computed else []
    features = [e.get("var", "") for e in query if local(e) == "feature"]
    found += [f"disco lacks {feature}" for feature in CALLABLE if feature not in features]
    found += [f"disco names {feature} twice" for feature in {f for f in features if features.count(f) > 1}]
    if NO_TRICKLE_FEATURE in features:
        found.append("disco announces urn:ietf:rfc:3264, which turns trickle off")
    if not any(local(e) == "identity" for e in query):
        found.append("disco has no identity")
    return found


def jmi_message(message: ET.Element, element: ET.Element, own_full: str, dino: bool) -> list[str]:
    """Addressing of one XEP-0353 message."""
    kind, found = local(element), []
    if message.get("type") != "chat":
        found.append(f"<{kind}> is of type {message.get('type')!r}, not chat")
    if not element.get("id"):
        found.append(f"<{kind}> has no id")
    if not message.get("id") and not dino:
        found.append(f"the message of <{kind}> has no id")
    if not is_full(message.get("from")):
        found.append(f"<{kind}> comes from {message.get('from')}, not from a full JID")
    to, to_bare = message.get("to", ""), bare(own_full)
    if kind in ("proceed", "ringing", "reject") and to != own_full:
        found.append(f"<{kind}> goes to {to}, Conversations hears it only at its full JID")
    if kind == "propose" and to != to_bare:
        found.append(f"<propose> goes to {to}, not to the bare JID")
    if sum(namespace(e) == JMI for e in message) != 1:
        found.append("not exactly one XEP-0353 element in the message")
    if kind in ("reject", "retract", "finish") and not dino:
        found += reason(element, required=kind != "reject")
    return found


def propose(element: ET.Element) -> list[str]:
    media = [e.get("media") for e in element.findall(q(RTP, "description"))]
    found = [] if "audio" in media else ["propose without audio: Monal ignores it"]
    if len(set(media)) != len(media) or not set(media) <= {"audio", "video"}:
        found.append(f"propose of {media}")
    if any(len(e) for e in element.findall(q(RTP, "description"))):
        found.append("propose carries more than the media")
    return found


def reason(parent: ET.Element, required: bool = True) -> list[str]:
    """A `<reason/>` with exactly one registered condition."""
    element = parent.find(q(JINGLE, "reason"))
    if element is None:
        return [f"<{local(parent)}> without a reason"] if required else []
    conditions = [local(e) for e in element if local(e) in REASONS and namespace(e) == JINGLE]
    return [] if len(conditions) == 1 else [f"reason with the conditions {[local(e) for e in element]}"]


def description(jingle: ET.Element, *, offered: list[ET.Element] | None = None, grouped: bool = False, dino: bool = False) -> list[str]:
    """All of a session-initiate; with `offered` (our contents, `grouped` when they went out as a BUNDLE) of the session-accept."""
    offer = offered is None
    contents = jingle.findall(q(JINGLE, "content"))
    found = blanks(jingle)
    names = [c.get("name", "") for c in contents]
    if not contents or len(set(names)) != len(names) or "" in names:
        found.append(f"content names {names}")
    for element in contents:
        found += _content(element, offer=offer, dino=dino)
    found += _group(jingle, names, None if offer else grouped, dino)
    setups = {f.get("setup") for f in jingle.iter(q(DTLS, "fingerprint"))}
    if len(setups) > 1:
        found.append(f"setup differs between contents: {sorted(map(str, setups))}")
    if offered is not None:
        found += _answers(contents, offered)
    ids = [c.get("id") for c in jingle.iter(q(ICE_UDP, "candidate"))]
    if len(set(ids)) != len(ids):
        found.append("candidate ids are not unique")
    return found


def _answers(contents: list[ET.Element], offered: list[ET.Element]) -> list[str]:
    def kinds(elements: Iterable[ET.Element]) -> list[tuple[str | None, str | None]]:
        return [(c.get("name"), getattr(c.find(q(RTP, "description")), "attrib", {}).get("media")) for c in elements]

    found = [] if kinds(contents) == kinds(offered) else [f"answer has {kinds(contents)}, offer had {kinds(offered)}"]
    for answer, offer in zip(contents, offered, strict=False):
        uris = {e.get("uri") for e in offer.iter(q(HDREXT, "rtp-hdrext"))}
        extra = {str(e.get("uri")) for e in answer.iter(q(HDREXT, "rtp-hdrext"))} - {str(u) for u in uris}
        found += [f"answer has the header extension {uri}, which was not offered" for uri in sorted(extra)]
        codecs = {_codec(e) for e in offer.iter(q(RTP, "payload-type"))}
        extra_codecs = {_codec(e) for e in answer.iter(q(RTP, "payload-type"))} - codecs
        found += [f"answer has the codec {codec}, which was not offered" for codec in sorted(extra_codecs)]
    return found


def _codec(payload: ET.Element) -> tuple[str, str]:
    static = {"0": ("pcmu", "8000"), "8": ("pcma", "8000"), "9": ("g722", "8000"), "13": ("cn", "8000")}
    if payload.get("name") is None:
        return static.get(payload.get("id", ""), ("?", "?"))
    return payload.get("name", "").lower(), payload.get("clockrate", "8000")


def _group(jingle: ET.Element, names: list[str], grouped: bool | None, dino: bool) -> list[str]:
    """`grouped`: whether the offer had a group; None = this is the offer."""
    groups = [g for g in jingle.findall(q(GROUPING, "group")) if g.get("semantics") == "BUNDLE"]
    members = [e.get("name", "") for g in groups for e in g.findall(q(GROUPING, "content"))]
    found = []
    if len(groups) > 1 or len(set(members)) != len(members) or not set(members) <= set(names):
        found.append(f"BUNDLE of {members} for the contents {names}")
    elif members != [n for n in names if n in members]:
        found.append(f"BUNDLE {members} is not in the order of the contents {names}")
    if grouped is None and len(names) > 1 and not groups and not dino:
        found.append(NO_GROUP)
    if grouped is False and groups:
        found.append("the answer has a BUNDLE group, the offer had none")
    if grouped is not None and len(members) > 1:
        transports = list(jingle.iter(q(ICE_UDP, "transport")))
        if len({(t.get("ufrag"), t.get("pwd")) for t in transports}) > 1:
            found.append("bundled contents with different credentials in the answer")
    return found


def _content(element: ET.Element, *, offer: bool, dino: bool) -> list[str]:
    name = element.get("name")
    found = [] if element.get("creator") == "initiator" else [f"content {name}: creator is {element.get('creator')!r}"]
    if element.get("senders", "both") not in ("both", "initiator", "responder"):
        found.append(f"content {name}: senders={element.get('senders')!r}, which Dino and Monal cannot read")
    descriptions, transports = element.findall(q(RTP, "description")), element.findall(q(ICE_UDP, "transport"))
    if len(descriptions) != 1 or len(transports) != 1:
        return [*found, f"content {name}: {len(descriptions)} rtp descriptions, {len(transports)} ice-udp transports"]
    found += _rtp(descriptions[0], dino)
    found += transport(transports[0], dino)
    fingerprints = transports[0].findall(q(DTLS, "fingerprint"))
    if len(fingerprints) != 1:
        return [*found, f"content {name}: {len(fingerprints)} fingerprints"]
    fingerprint = fingerprints[0]
    if fingerprint.get("hash") != "sha-256" or not FINGERPRINT.fullmatch(fingerprint.text or ""):
        found.append(f"content {name}: fingerprint {fingerprint.get('hash')} {fingerprint.text!r}")
    wanted = ("actpass",) if offer else ("active", "passive")
    if fingerprint.get("setup") not in wanted:
        found.append(f"content {name}: setup={fingerprint.get('setup')!r} in an {'offer' if offer else 'answer'}")
    return found


def _rtp(element: ET.Element, dino: bool) -> list[str]:
    media, found = element.get("media"), []
    if media not in ("audio", "video"):
        found.append(f"description of media {media!r}")
    payloads = element.findall(q(RTP, "payload-type"))
    ids = [p.get("id") for p in payloads]
    if not payloads or len(set(ids)) != len(ids):
        found.append(f"{media}: payload ids {ids}")
    for payload in payloads:
        found += _payload(payload)
    if element.find(q(RTP, "rtcp-mux")) is None:
        found.append(f"{media}: no rtcp-mux")
    if not dino and next(element.iter(q(RTP, "encryption")), None) is not None:
        found.append(f"{media}: SDES beside DTLS; Dino would encrypt twice")
    for extension in element.iter(q(HDREXT, "rtp-hdrext")):
        if not number(extension.get("id"), 1, 255) or not extension.get("uri"):
            found.append(f"{media}: header extension {extension.attrib}")
    for source in element.findall(q(SSMA, "source")):
        if not number(source.get("ssrc"), 0, 2**32 - 1):
            found.append(f"{media}: source {source.attrib}")
        found += [f"{media}: empty ssma parameter {p.attrib}" for p in source if local(p) == "parameter" and not p.get("value")]
    return found


def _payload(payload: ET.Element) -> list[str]:
    number_, found = payload.get("id"), []
    if not number(number_, 0, 127):
        found.append(f"payload id {number_!r}")
    elif int(str(number_)) >= 35 and not (payload.get("name") and number(payload.get("clockrate"), 1, 2**31)):
        found.append(f"payload {number_} has no name or clock rate")
    if payload.get("channels") is not None and not number(payload.get("channels"), 1, 255):
        found.append(f"payload {number_}: channels={payload.get('channels')!r}")
    parameters = payload.findall(q(RTP, "parameter"))
    for parameter in parameters:
        value = parameter.get("value")
        if not value or re.search(r"\s", value):
            found.append(f"payload {number_}: parameter {parameter.attrib} (Conversations: failed-application)")
        if (parameter.get("name") is None and len(parameters) > 1) or parameter.get("name") == "":
            found.append(f"payload {number_}: parameter without a name among several")
    found += [f"payload {number_}: rtcp-fb without a type" for f in payload.findall(q(RTCP_FB, "rtcp-fb")) if not f.get("type")]
    return found


def transport(element: ET.Element, dino: bool = False) -> list[str]:
    """Credentials and candidates of one transport."""
    ufrag, pwd, found = element.get("ufrag", ""), element.get("pwd", ""), []
    if not (4 <= len(ufrag) <= 256 and ICE_CHARS.fullmatch(ufrag)):
        found.append(f"ufrag {ufrag!r}")
    if not (22 <= len(pwd) <= 256 and ICE_CHARS.fullmatch(pwd)):
        found.append(f"pwd of {len(pwd)} characters")
    for element_ in element.findall(q(ICE_UDP, "candidate")):
        found += candidate(element_, dino)
    return found


def candidate(element: ET.Element, dino: bool = False) -> list[str]:
    found = [f"candidate without {name}" for name in CANDIDATE_ATTRIBUTES if not element.get(name)]
    if found:
        return found
    try:
        address = ipaddress.ip_address(element.get("ip", ""))
        if address.is_unspecified or address.is_multicast or "%" in element.get("ip", ""):
            found.append(f"candidate address {address}")
    except ValueError:
        found.append(f"candidate address {element.get('ip')!r} is no IP literal")
    if element.get("protocol") != "udp":
        found.append(f"candidate protocol {element.get('protocol')!r}")
    if element.get("component") != "1" and not dino:
        found.append(f"candidate of component {element.get('component')} in spite of rtcp-mux")
    if element.get("type") not in CANDIDATE_TYPES:
        found.append(f"candidate type {element.get('type')!r}")
    ranges = {"port": (1, 65535), "priority": (1, 2**31 - 1), "generation": (0, 2**31 - 1), "network": (0, 2**31 - 1)}
    found += [f"candidate {n}={element.get(n)!r}" for n, (lo, hi) in ranges.items() if not number(element.get(n), lo, hi)]
    if not (len(element.get("foundation", "")) <= 32 and ICE_CHARS.fullmatch(element.get("foundation", ""))):
        found.append(f"candidate foundation {element.get('foundation')!r}")
    if (element.get("rel-addr") is None) != (element.get("rel-port") is None):
        found.append("candidate with only one of rel-addr and rel-port")
    return found + blanks(element)


def transport_info(jingle: ET.Element, known: dict[str, tuple[str, str]]) -> list[str]:
    """`known`: content name to (ufrag, pwd) of the description."""
    contents = jingle.findall(q(JINGLE, "content"))
    if len(contents) != 1:
        return [f"transport-info with {len(contents)} contents (Dino: bad-request)"]
    name, transports = contents[0].get("name", ""), contents[0].findall(q(ICE_UDP, "transport"))
    if name not in known:
        return [f"transport-info for the unknown content {name!r}"]
    if len(transports) != 1 or len(contents[0]) != 1:
        return ["transport-info with something else than one transport"]
    found = transport(transports[0])
    if (transports[0].get("ufrag"), transports[0].get("pwd")) != known[name]:
        found.append("transport-info whose ufrag and pwd are not those of the description (Monal: not-authorized)")
    if len(transports[0].findall(q(ICE_UDP, "candidate"))) != 1:
        found.append("transport-info without exactly one candidate (Monal and Movim read one)")
    return found


def session_info(jingle: ET.Element, names: Iterable[str]) -> list[str]:
    infos = [e for e in jingle if namespace(e) == RTP_INFO]
    found = [f"session-info <{local(e)}>" for e in infos if local(e) not in INFOS]
    return found + [f"session-info for the unknown content {e.get('name')!r}" for e in infos if e.get("name", "") not in {"", *names}]
