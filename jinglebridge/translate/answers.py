"""An answer fits its offer: only offered payload types, feedback and header extensions, and no wider direction.

Spec: RFC 3264 §6.1, RFC 8285 §7; J-110, J-122, J-132, J-135.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from jinglebridge.errors import Refused
from jinglebridge.jingle import PayloadType, Role, RtcpFb, RtpDescription
from jinglebridge.jingle.xep_0167 import from_sdp
from jinglebridge.jingle.xep_0294 import HeaderExtension
from jinglebridge.sdp import MediaDescription


def fit(
    answered: RtpDescription, payloads: Iterable[PayloadType], offer: MediaDescription, author: Role
) -> tuple[RtpDescription, list[PayloadType]]:
    """The answer's description and payload types without what was not offered. `author` wrote the offer.

    Raises: Refused where no payload type keeps its number and meaning: the media does not pass us, nothing can be renumbered (J-122).
    """
    offered = from_sdp(offer, author)
    by_id = {payload.id: payload for payload in offered.payload_types}
    everywhere = set(offered.feedback)
    kept = []
    for payload in payloads:
        twin = by_id.get(payload.id)
        if twin is not None and _same(payload, twin):
            allowed = everywhere | set(twin.feedback)
            wanted = (*payload.feedback, *(item for item in answered.feedback if item not in everywhere))
            feedback = tuple(item for item in dict.fromkeys(wanted) if item in allowed)
            kept.append(payload if feedback == payload.feedback else payload._replace(feedback=feedback))
    if not kept:
        raise Refused(f"no payload type of section {offer.index} was answered as offered", reason="incompatible-parameters", rule="J-122")
    common: tuple[RtcpFb, ...] = tuple(item for item in answered.feedback if item in everywhere)
    extensions = tuple(item for item in answered.header_extensions if _offered(item, offered.header_extensions))
    return replace(answered, feedback=common, header_extensions=extensions), kept


def _same(one: PayloadType, two: PayloadType) -> bool:
    return one.name.lower() == two.name.lower() and one.clockrate == two.clockrate


def _offered(extension: HeaderExtension, offered: tuple[HeaderExtension, ...]) -> bool:
    """Same URI and id; an offered id from 4096 on only asks for one (RFC 8285 §7; part 3 row 3)."""
    return any(item.uri == extension.uri and (item.id == extension.id or item.id >= 4096) for item in offered)
