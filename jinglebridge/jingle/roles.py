"""The two roles of a session and who may send: words that every Jingle XEP uses. XEP-0166 §7.

The conversion to SDP directions is here because header extensions need it as well as contents.
"""

from __future__ import annotations

from enum import StrEnum

from jinglebridge.sdp import Direction
from jinglebridge.xml import Type


class Role(StrEnum):
    """Who began the session, and who was called; the same for as long as it lasts."""

    __hash__ = str.__hash__  # that of an enumeration is slow

    INITIATOR = "initiator"
    RESPONDER = "responder"

    @property
    def other(self) -> Role:
        """The role of the other side."""
        return Role.RESPONDER if self is Role.INITIATOR else Role.INITIATOR


class Senders(StrEnum):
    """Which roles send media of a content."""

    __hash__ = str.__hash__

    BOTH = "both"
    INITIATOR = "initiator"
    RESPONDER = "responder"
    NONE = "none"


def _member(enum: type[StrEnum]) -> Type:
    members = {member.value: member for member in enum}

    def parse(value: str) -> StrEnum:
        member = members.get(value)
        if member is None:
            raise ValueError(f"not one of {', '.join(enum)}")
        return member

    return Type(parse, str, known=members)


role = _member(Role)
senders = _member(Senders)

# M-2, the row of the session initiator. The row of the responder has sendonly and recvonly exchanged.
_INITIATOR = {
    Senders.BOTH: Direction.SENDRECV,
    Senders.INITIATOR: Direction.SENDONLY,
    Senders.RESPONDER: Direction.RECVONLY,
    Senders.NONE: Direction.INACTIVE,
}
_RESPONDER = _INITIATOR | {Senders.INITIATOR: Direction.RECVONLY, Senders.RESPONDER: Direction.SENDONLY}
_TO_DIRECTION = {Role.INITIATOR: _INITIATOR, Role.RESPONDER: _RESPONDER}
_TO_SENDERS = {author: {d: s for s, d in row.items()} for author, row in _TO_DIRECTION.items()}


def senders_to_direction(senders: Senders | None, author: Role) -> Direction:
    """Direction attribute for the SDP that `author` wrote.

    Args:
        senders: as on the wire; None (absent) means both.
        author: session role of the side whose media the SDP describes, whoever of the two offers.

    Raises: nothing; total over its types.

    Spec: XEP-0166 §7.3, XEP-0167 §5; J-109, table M-2.
    """
    return _TO_DIRECTION[author][senders or Senders.BOTH]


def direction_to_senders(direction: Direction, author: Role) -> Senders:
    """Inverse of `senders_to_direction`. Table M-2."""
    return _TO_SENDERS[author][direction]


def both_allow(one: Senders, two: Senders) -> Senders:
    """Who may send if both descriptions have to allow it: an answer never widens its offer. J-110."""
    if one is two or two is Senders.BOTH:
        return one
    return two if one is Senders.BOTH else Senders.NONE
