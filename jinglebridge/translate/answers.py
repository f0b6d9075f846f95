"""An answer fits its offer: only offered payload types, feedback and header extensions, and no wider direction.

Spec: RFC 3264 §6.1, RFC 8285 §7; J-110, J-122, J-132, J-135.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from jinglebridge.errors import Refused
from jinglebridge.jingle import PayloadType, RtcpFb, RtpDescription, TrrInt
from jinglebridge.jingle.xep_0167_sdp import size, usable
from jinglebridge.kept import Kept
from jinglebridge.values import replace

Payloads = tuple[PayloadType, ...]
Item = TypeVar("Item", RtcpFb, TrrInt)


def fit(answered: RtpDescription, payloads: Payloads, offered: RtpDescription, where: str) -> tuple[RtpDescription, Payloads]:
    """The answer's description and payload types without what was not offered, whichever side offers. `where` names the section.

    Raises: Refused where no payload type keeps its number and meaning: the media does not pass us, nothing can be renumbered (J-122).
    """
    by_id = {payload.id: payload for payload in usable(offered)}
    feedback = _Level(answered.feedback, frozenset(offered.feedback))
    intervals = _Level(answered.trr_int, frozenset(offered.trr_int))
    each = not answered.feedback and not answered.trr_int  # what is said of a payload type is said with it
    kept: list[PayloadType] = []
    for payload in payloads:
        twin = by_id.get(payload.id)
        if each and twin is not None and _as_offered(payload, twin):
            kept.append(payload)  # as most are: a browser answers with what it was offered
        elif twin is not None and _same(payload, twin):
            items, times = feedback.of(payload.feedback, twin.feedback), intervals.of(payload.trr_int, twin.trr_int)
            same = (items, times) == (payload.feedback, payload.trr_int)
            kept.append(payload if same else payload._replace(feedback=items, trr_int=times))
    fitted = tuple(kept)
    if len(fitted) < len(payloads):
        fitted = usable(replace(answered, payload_types=fitted))  # what was dropped takes its retransmission with it (J-120)
    if not fitted:
        raise Refused(f"{where} answers no payload type as offered", reason="incompatible-parameters", rule="J-122")
    ids = {(item.uri, item.id) for item in offered.header_extensions}
    free = {item.uri for item in offered.header_extensions if item.id >= OFFERED_ID}
    extensions = tuple([item for item in answered.header_extensions if item.uri in free or (item.uri, item.id) in ids])
    return replace(answered, feedback=feedback.common, trr_int=intervals.common, header_extensions=extensions), fitted


# Pairs that were looked at. By identity, as in `xep_0167_sdp`: what is kept is held, so no other can have its number.
_AS_OFFERED: Kept[tuple[int, int], tuple[PayloadType, PayloadType]] = Kept()


def _as_offered(answered: PayloadType, offered: PayloadType) -> bool:
    """Does an answer say of a payload type just what its offer says, and nothing twice?"""
    pair = (id(answered), id(offered))
    if pair in _AS_OFFERED:
        return True
    if answered != offered or not _distinct(answered.feedback) or not _distinct(answered.trr_int):
        return False
    _AS_OFFERED.keep(pair, (answered, offered), size(answered) + size(offered))
    return True


def _distinct(items: tuple[Item, ...]) -> bool:
    return len(items) < 2 or len(set(items)) == len(items)


class _Level(NamedTuple, Generic[Item]):
    """What an answer and its offer say of all payload types. Items are compared after that is said of each one (J-132)."""

    answered: tuple[Item, ...]
    offered: frozenset[Item]

    @property
    def common(self) -> tuple[Item, ...]:
        return tuple([item for item in self.answered if item in self.offered])

    def of(self, answered: tuple[Item, ...], offered: tuple[Item, ...]) -> tuple[Item, ...]:
        """The items of one payload type in the answer."""
        allowed = self.offered.union(offered)
        wanted = dict.fromkeys(answered) | dict.fromkeys([item for item in self.answered if item not in self.offered])
        return tuple([item for item in wanted if item in allowed])


OFFERED_ID = 4096  # from here on the id of a header extension only asks for one: RFC 8285 §7; part 3 row 3


def without_offered_ids(answered: RtpDescription) -> RtpDescription:
    """An answer's description without header extensions that name no real id. J-135"""
    if all(item.id < OFFERED_ID for item in answered.header_extensions):
        return answered
    return replace(answered, header_extensions=tuple([item for item in answered.header_extensions if item.id < OFFERED_ID]))


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
    if name != "h264":
        return True
    one, two = (payload.get("profile-level-id") or "" for payload in (answered, offered))
    return not one or not two or one[:2].lower() == two[:2].lower()
