"""An answer fits its offer: only offered payload types, feedback and header extensions, and no wider direction.

Spec: RFC 3264 §6.1, RFC 8285 §7; J-110, J-122, J-132, J-135.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jinglebridge.errors import Refused
from jinglebridge.jingle import PayloadType, Role, RtcpFb, RtpDescription
from jinglebridge.jingle.xep_0167 import from_sdp, usable
from jinglebridge.jingle.xep_0294 import HeaderExtension
from jinglebridge.sdp import MediaDescription


def fit(
    answered: RtpDescription, payloads: Sequence[PayloadType], offer: MediaDescription, author: Role
) -> tuple[RtpDescription, list[PayloadType]]:
    """The answer's description and payload types without what was not offered. `author` wrote the offer.

    Raises: Refused where no payload type keeps its number and meaning: the media does not pass us, nothing can be renumbered (J-122).
    """
    offered = from_sdp(offer, author)
    by_id = {payload.id: payload for payload in usable(offered)}
    everywhere = {item.known for item in offered.feedback}
    kept = []
    for payload in payloads:
        twin = by_id.get(payload.id)
        if twin is not None and _same(payload, twin):
            allowed = everywhere | {item.known for item in twin.feedback}
            wanted = (*payload.feedback, *(item for item in answered.feedback if item.known not in everywhere))
            feedback = tuple(item for item in dict.fromkeys(wanted) if item.known in allowed)
            kept.append(payload if feedback == payload.feedback else payload._replace(feedback=feedback))
    if len(kept) < len(payloads):
        kept = list(usable(replace(answered, payload_types=tuple(kept))))  # what was dropped takes its retransmission with it (J-120)
    if not kept:
        raise Refused(f"no payload type of section {offer.index} was answered as offered", reason="incompatible-parameters", rule="J-122")
    common: tuple[RtcpFb, ...] = tuple(item for item in answered.feedback if item.known in everywhere)
    extensions = tuple(item for item in answered.header_extensions if _offered(item, offered.header_extensions))
    return replace(answered, feedback=common, header_extensions=extensions), kept


# Format parameters that make another codec of the same name, and what their absence means. RFC 6184 §8.2.2, RFC 9628 §6; J-124
_KEYS = {
    "h264": (("packetization-mode", "0"),),
    "vp9": (("profile-id", "0"),),
    "av1": (("profile", "0"),),
    "rtx": (("apt", ""),),
}


def _same(answered: PayloadType, offered: PayloadType) -> bool:
    """Does the answer mean by a number what the offer means by it? J-122

    The level of H.264 may differ; its profile must not where both name one (an answerer may leave it out, which says baseline).
    """
    name = answered.name.lower()
    if (name, answered.clockrate, answered.channels) != (offered.name.lower(), offered.clockrate, offered.channels):
        return False
    if any((answered.get(key) or absent) != (offered.get(key) or absent) for key, absent in _KEYS.get(name, ())):
        return False
    one, two = (payload.get("profile-level-id") or "" for payload in (answered, offered))
    return name != "h264" or not one or not two or one[:2].lower() == two[:2].lower()


def _offered(extension: HeaderExtension, offered: tuple[HeaderExtension, ...]) -> bool:
    """Same URI and id; an offered id from 4096 on only asks for one (RFC 8285 §7; part 3 row 3)."""
    return any(item.uri == extension.uri and (item.id == extension.id or item.id >= 4096) for item in offered)
