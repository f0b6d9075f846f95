"""What can happen to a call. Values only; who they belong to is found by the registry."""

from __future__ import annotations

from dataclasses import field
from typing import Any, Literal

from jinglebridge.jingle import Jingle, Jmi
from jinglebridge.values import frozen

InfoKind = Literal["mute", "unmute", "hold", "active"]


# --- from the web endpoint


@frozen
class Placed:
    """The endpoint calls `to` (bare JID) with its offer. `unheard`: who is called hears nothing of it, and the caller does not see that."""

    call: str
    to: str
    sdp: str
    unheard: bool = False


@frozen
class Accepted:
    call: str


@frozen
class Rejected:
    call: str
    busy: bool = False


@frozen
class Described:
    """The endpoint set a local description."""

    call: str
    type: Literal["offer", "answer"]
    sdp: str


@frozen
class Gathered:
    """A candidate of the endpoint, RTCIceCandidateInit; an empty `candidate` or None is the end of candidates."""

    call: str
    candidate: dict[str, Any] | None


@frozen
class HungUp:
    call: str
    reason: str = "ended"


@frozen
class Informed:
    """Mute, hold, … of the content `mid`, or of the whole call if None."""

    call: str
    info: InfoKind
    mid: str | None = None


@frozen
class Reported:
    """Connection statistics of the endpoint. `received`: bytes; `media`: those of RTP, None if it does not say; `relayed`: by a relay?"""

    call: str
    state: str
    received: int = 0
    media: int | None = None
    relayed: bool | None = None


EndpointEvent = Placed | Accepted | Rejected | Described | Gathered | HungUp | Informed | Reported


# --- from the peer


@frozen
class JmiReceived:
    """A JMI message. `sender` and `to` as on the stanza; `age` in seconds if it was delayed (XEP-0203)."""

    jmi: Jmi
    sender: str
    to: str
    stanza_id: str = ""
    receipt: bool = False  # it asks for an XEP-0184 receipt
    age: float = 0.0


@frozen
class JingleReceived:
    jingle: Jingle
    sender: str
    to: str
    xml: str = field(default="", repr=False)  # the <jingle/> as text


@frozen
class Answered:
    """The reply to a Jingle IQ of ours. `condition`: None = result, else the stanza error's; `jingle`: XEP-0166 condition.

    `change`: as in `SendJingle`.
    """

    action: str
    condition: str | None = None
    jingle: str | None = None
    change: int = 0


@frozen
class Bounced:
    """A JMI message of ours came back as an error."""

    condition: str


@frozen
class PeerPresence:
    """The full JID we talk to became available or unavailable."""

    available: bool


@frozen
class TimerFired:
    name: str


@frozen
class EndpointGone:
    """A web session is over for good (closed, or its resume window passed)."""

    jid: str


CallEvent = EndpointEvent | JmiReceived | JingleReceived | Answered | Bounced | PeerPresence | TimerFired | EndpointGone
