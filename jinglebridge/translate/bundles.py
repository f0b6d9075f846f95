"""May contents share one transport? Only if what arrives on it can be told apart. RFC 9143 §9; J-196."""

from __future__ import annotations

from collections.abc import Iterable

from jinglebridge.jingle import Content, PayloadType, Role, RtpDescription, xep_0167_sdp
from jinglebridge.jingle.roles import senders_to_direction
from jinglebridge.jingle.xep_0294 import MID_URI
from jinglebridge.sdp import Direction


def clash(contents: Iterable[Content], author: Role) -> bool:
    """Must a browser not bundle these contents, which `author` offers?

    One payload type with two meanings is refused by browsers as a whole. One payload type in two sections that both send needs the MID
    header extension or signalled sources, or nobody knows which section a packet is for.
    """
    meanings: dict[int, PayloadType] = {}
    vague: set[int] = set()
    clear: set[int] = set()
    described = [(content, content.description) for content in contents if content.description is not None]
    numbers = {payload.id for _, description in described for payload in description.payload_types}
    if len(numbers) == sum([len(description.payload_types) for _, description in described]):
        return False
    for content, description in described:
        payloads = xep_0167_sdp.usable(description)
        for payload in payloads:
            other = meanings.setdefault(payload.id, payload)
            if other is not payload and _meaning(other) != _meaning(payload):
                return True
        if senders_to_direction(content.senders, author) in (Direction.RECVONLY, Direction.INACTIVE):
            continue
        ids = {p.id for p in payloads}
        if ids & (vague if _told_apart(description) else vague | clear):
            return True
        (clear if _told_apart(description) else vague).update(ids)
    return False


def _meaning(payload: PayloadType) -> tuple[str, int | None, int]:
    return payload.name.lower(), payload.clockrate, payload.channels


def _told_apart(description: RtpDescription) -> bool:
    return bool(description.sources) or any(item.uri == MID_URI for item in description.header_extensions)
