"""What the engine wants done. A shell performs them in order; none of them can fail back into the engine."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from jinglebridge.calls.model import Abilities
from jinglebridge.calls.people import CallRecord
from jinglebridge.calls.reasons import EndReason
from jinglebridge.jingle import Jingle, Jmi
from jinglebridge.values import frozen

What = Literal["ice-restart", "add", "remove", "direction", "offer"]  # a change that comes to nothing
CallKey = tuple[str, str, str]  # (own bare JID, peer bare JID, sid)


# --- towards the peer


@frozen
class SendJmi:
    """A message of type chat with a store hint; an error reply comes back as `Bounced`. J-051."""

    sender: str
    to: str
    jmi: Jmi
    number: int = 0  # in the call's `unacked`, if it must be said again when it did not leave


@frozen
class SendReceipt:
    """XEP-0184 receipt for the message `id`. J-057."""

    sender: str
    to: str
    id: str


@frozen
class SendJingle:
    """An IQ set; its reply comes back as `Answered`. `change`: the offer of our endpoint, in a running call, that it belongs to; 0 none.

    `text`: the <jingle/>, where it was made already.
    """

    sender: str
    to: str
    jingle: Jingle
    change: int = 0
    number: int = 0  # in the call's `unacked`, until the peer answers
    text: str = field(default="", compare=False, repr=False)


@frozen
class ShowPresence:
    """Directed presence with caps from our endpoint to a peer that may not be subscribed. J-042."""

    sender: str
    to: str


@frozen
class TellPeerMissed:
    """A message to a peer whose client would not show by itself that our user called. `at`: when."""

    own: str
    peer: str
    media: tuple[str, ...]
    at: float


# --- towards web endpoints


@frozen
class TellIncoming:
    """`replaces`: the page's call that this one continues, if any. Nobody is to be asked again: the person talks already, or
    was calling this peer."""

    endpoint: str
    call: str
    peer: str  # bare JID
    name: str
    media: tuple[str, ...]
    abilities: Abilities
    replaces: str = ""


@frozen
class TellState:
    endpoint: str
    call: str
    state: Literal["proceeding", "ringing", "accepted", "connecting", "connected"]
    abilities: Abilities


@frozen
class TellDescription:
    endpoint: str
    call: str
    type: Literal["offer", "answer"]
    sdp: str


@frozen
class TellRollback:
    """The endpoint's outstanding offer comes to nothing: back to what both sides had. `what`: as in error `not-negotiable`."""

    endpoint: str
    call: str
    what: What


@frozen
class TellCandidate:
    """`candidate` is in W3C form; "" is the end of candidates of that section."""

    endpoint: str
    call: str
    candidate: str
    mid: str
    index: int
    ufrag: str


@frozen
class TellInfo:
    endpoint: str
    call: str
    info: Literal["mute", "unmute", "hold", "active"]
    mid: str | None


@frozen
class TellEnded:
    endpoint: str
    call: str
    reason: EndReason
    text: str = ""


@frozen
class TellMissed:
    """To the person (bare JID), whatever pages are open: a call nobody answered."""

    owner: str
    peer: str
    name: str
    media: tuple[str, ...]
    at: float


# --- towards ourselves


@frozen
class StartTimer:
    """(Re)start the call's timer `name`; it comes back as `TimerFired` after `seconds`."""

    key: CallKey
    name: str
    seconds: float


@frozen
class StopTimers:
    """The call is over: none of its timers matters any more."""

    key: CallKey


@frozen
class Recorded:
    """For our user's list of calls: this one is over."""

    record: CallRecord


@frozen
class Note:
    """One line for the log: an event name and values without secrets or addresses. J-107, J-248."""

    event: str
    call: str
    sid: str
    detail: str = ""


PeerEffect = SendJmi | SendReceipt | SendJingle | ShowPresence | TellPeerMissed
EndpointEffect = TellIncoming | TellState | TellDescription | TellRollback | TellCandidate | TellInfo | TellEnded | TellMissed
Effect = PeerEffect | EndpointEffect | StartTimer | StopTimers | Recorded | Note
