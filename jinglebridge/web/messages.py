"""The whole JSON protocol ``jinglebridge.v1`` as tagged structs: the one declaration of every frame.

Decoding, encoding, the JSON schema in ``docs/reference`` and the check of the TypeScript types all come from here.
Field names are the wire's; W3C spelling inside (``sdpMid``, ``iceServers``). Unknown fields are ignored by both sides.

Requests of the client carry `id`; each is answered by exactly one ``ack`` or ``error`` with that id. Events of the
server that a client must not miss carry `seq` (1, 2, 3, … per session); the client confirms with ``hello.resume.lastSeq``
after a reconnect and with ``ping.seq`` while connected.

Spec: DESIGN §3; conformance area Q.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from jinglebridge.calls.reasons import EndReason

PROTOCOL = "jinglebridge.v1"
VERSION = 1

ErrorCode = Literal[
    "bad-frame",  # not JSON, too deep, a field of the wrong type
    "too-big",  # frame over the limit
    "unknown-type",  # the server does not know this `type`; nothing else happens
    "bad-version",  # hello.version is not spoken here
    "hello-first",  # any frame before hello
    "not-authorized",  # token, code or resume secret refused
    "token-expired",
    "forbidden",  # policy: this user may not call that contact
    "not-supported",  # declared, but not in this server's welcome.features
    "not-negotiable",  # the peer cannot take this offer; `what` says which part
    "unknown-call",
    "duplicate-call",  # the call id is in use
    "unknown-contact",  # not an address
    "out-of-order",  # e.g. an answer without an offer
    "bad-description",  # SDP refused; the message names the rule
    "bad-candidate",
    "rate-limited",
    "unavailable",  # no connection to the XMPP server at the moment
    "draining",  # the bridge is being stopped
    "internal",
]
CloseCode = Literal[1000, 1008, 1009, 1013, 4000, 4001, 4002]

RequestId = Annotated[str, Meta(min_length=1, max_length=64)]
CallId = Annotated[str, Meta(min_length=1, max_length=64)]
Jid = Annotated[str, Meta(min_length=1, max_length=3071)]
Text = Annotated[str, Meta(max_length=1024)]
Sdp = Annotated[str, Meta(max_length=65536)]


class Description(Struct, kw_only=True):
    """RTCSessionDescriptionInit."""

    type: Literal["offer", "answer"]
    sdp: Sdp


class Candidate(Struct, kw_only=True, omit_defaults=True):
    """RTCIceCandidateInit; ``candidate: ""`` with a mid is the end of candidates of that section."""

    candidate: Annotated[str, Meta(max_length=2048)] = ""
    sdpMid: Annotated[str, Meta(max_length=256)] | None = None
    sdpMLineIndex: Annotated[int, Meta(ge=0, le=255)] | None = None
    usernameFragment: Annotated[str, Meta(max_length=256)] | None = None


class Resume(Struct, kw_only=True):
    secret: Annotated[str, Meta(max_length=128)]
    lastSeq: Annotated[int, Meta(ge=0)] = 0


class Request(Struct, kw_only=True):
    """What every request of the client has."""

    id: RequestId


# --- client to server -------------------------------------------------------------------------------------------


class Hello(Request, tag="hello", kw_only=True):
    """First frame, within 5 s. Exactly one of token, code, device, resume says who this is."""

    version: int
    token: Annotated[str, Meta(max_length=8192)] | None = None
    code: Annotated[str, Meta(max_length=128)] | None = None
    device: Annotated[str, Meta(max_length=128)] | None = None
    resume: Resume | None = None
    name: Annotated[str, Meta(max_length=128)] | None = None
    video: bool = True  # this endpoint can show or send video


class Ice(Request, tag="ice", kw_only=True):
    """Ask for STUN/TURN before a peer connection is made; answered by an `ice` event with the same id, then `ack`."""

    to: Jid


class CallRequest(Request, tag="call", kw_only=True):
    call: CallId
    to: Jid
    description: Description


class Accept(Request, tag="accept", kw_only=True):
    call: CallId


class Reject(Request, tag="reject", kw_only=True):
    call: CallId
    busy: bool = False


class SetDescription(Request, tag="description", kw_only=True):
    call: CallId
    description: Description


class AddCandidate(Request, tag="candidate", kw_only=True):
    call: CallId
    candidate: Candidate | None  # null: no more candidates at all


class Hangup(Request, tag="hangup", kw_only=True):
    call: CallId
    reason: Literal["ended", "failed-ice", "failed-media", "gone"] = "ended"


class SendInfo(Request, tag="info", kw_only=True):
    call: CallId
    info: Literal["mute", "unmute", "hold", "active"]
    mid: Annotated[str, Meta(max_length=256)] | None = None  # null: the whole call


class SetPresence(Request, tag="presence", kw_only=True):
    show: Literal["available", "away", "dnd"] = "available"
    status: Text = ""


class ContactsAdd(Request, tag="contacts.add", kw_only=True):
    jid: Jid
    name: Text = ""


class ContactsRemove(Request, tag="contacts.remove", kw_only=True):
    jid: Jid


class ContactsApprove(Request, tag="contacts.approve", kw_only=True):
    jid: Jid


class ContactsDeny(Request, tag="contacts.deny", kw_only=True):
    jid: Jid


class History(Request, tag="history", kw_only=True):
    """Ask for the calls that are over; answered by a `history` event with the same id, then `ack`."""

    before: Annotated[str, Meta(max_length=40)] | None = None  # `at` of the last entry of the page before; null: the latest
    limit: Annotated[int, Meta(ge=1, le=100)] = 50


class Devices(Request, tag="devices", kw_only=True):
    """Ask for the signed-in devices of this person; answered by a `devices` event with the same id, then `ack`."""


class DevicesRevoke(Request, tag="devices.revoke", kw_only=True):
    """Sign a device of this person out: its sessions end with close code 4002."""

    device: Annotated[str, Meta(max_length=64)] | None = None  # null: the one that this session came in by


class Stats(Request, tag="stats", kw_only=True):
    """Sent when media connects and every 10 s; a bridge that gets none does not time the connection out."""

    call: CallId
    connectionState: Literal["new", "connecting", "connected", "disconnected", "failed", "closed"]
    bytesReceived: Annotated[int, Meta(ge=0)] = 0
    bytesSent: Annotated[int, Meta(ge=0)] = 0
    mediaReceived: Annotated[int, Meta(ge=0)] | None = None  # bytes of RTP among them
    relayed: bool | None = None  # does the path in use go by a relay?


class Ping(Request, tag="ping", kw_only=True):
    """Answered by `pong`. `seq`: the last event seen; the server forgets events up to it."""

    seq: Annotated[int, Meta(ge=0)] | None = None


class Bye(Request, tag="bye", kw_only=True):
    """The page closes for good: the session ends at once, its calls with it."""


ClientFrame = (
    Hello
    | Ice
    | CallRequest
    | Accept
    | Reject
    | SetDescription
    | AddCandidate
    | Hangup
    | SendInfo
    | SetPresence
    | ContactsAdd
    | ContactsRemove
    | ContactsApprove
    | ContactsDeny
    | History
    | Devices
    | DevicesRevoke
    | Stats
    | Ping
    | Bye
)


# --- server to client -------------------------------------------------------------------------------------------


class Abilities(Struct, kw_only=True):
    """What the peer of a call can take later on. Known from its caps; False until known."""

    bundle: bool = False
    restart: bool = False
    add: bool = False
    modify: bool = False


class Media(Struct, kw_only=True):
    audio: bool = False
    video: bool = False


class Contact(Struct, kw_only=True):
    jid: str
    name: str
    presence: Literal["available", "away", "dnd", "offline", "unknown"]
    status: str = ""
    media: Media  # what a call to this contact can carry, as far as known
    subscription: Literal["none", "to", "from", "both", "pending-out", "pending-in"] = "none"


class IceServer(Struct, kw_only=True, omit_defaults=True):
    urls: list[str]
    username: str | UnsetType = UNSET
    credential: str | UnsetType = UNSET


class Limits(Struct, kw_only=True):
    frame: int  # bytes of one frame
    calls: int  # concurrent calls of one person
    resume: int  # seconds a lost socket can be resumed
    ping: int  # seconds between pings the server wants


class CallSnapshot(Struct, kw_only=True):
    """One live call, as `welcome.calls` tells it to a client whose events are gone."""

    call: CallId
    with_: str = msgspec.field(name="with")
    name: str
    direction: Literal["out", "in"]
    state: Literal["proceeding", "ringing", "incoming", "accepted", "connecting", "connected"]
    media: Media
    description: Description | None = None  # from the peer, if the client may not have got it yet
    candidates: list[Candidate] = []  # likewise; those that it has do no harm


class Ack(Struct, tag="ack", kw_only=True):
    id: str


class Error(Struct, tag="error", kw_only=True, omit_defaults=True):
    """`id` is missing when the frame could not be read far enough to know it."""

    code: ErrorCode
    message: str
    id: str | None = None
    what: Literal["ice-restart", "add", "remove", "direction"] | None = None


class Event(Struct, kw_only=True):
    """What the session must not miss."""

    seq: int = 0


class Ended(Event, tag="ended", kw_only=True):
    call: CallId
    reason: EndReason
    text: str = ""


class Welcome(Struct, tag="welcome", kw_only=True):
    jid: str
    name: str
    contacts: list[Contact]
    limits: Limits
    features: list[str]
    resume: str  # the next secret for hello.resume; good once
    resumed: bool  # true: the events after lastSeq follow; false: `calls` replaces the client's view
    calls: list[CallSnapshot]
    ended: list[Ended] = []  # with `calls`: those of the calls that are not there any more of which is known why
    seq: int  # number of the last event; the next one is seq + 1
    warnings: list[str] = []  # plain sentences for the person, e.g. that there is no TURN


class IceEvent(Struct, tag="ice", kw_only=True):
    id: str
    iceServers: list[IceServer]
    iceTransportPolicy: Literal["all", "relay"]
    expires: int  # seconds from now


class DeviceInfo(Struct, kw_only=True):
    id: str
    label: str
    created: str  # RFC 3339, UTC
    used: str  # likewise, to the hour
    current: bool  # the one that this session came in by


class DeviceList(Struct, tag="devices", kw_only=True):
    id: str
    devices: list[DeviceInfo]  # the last used one first


class CallEntry(Struct, kw_only=True):
    """One call that is over."""

    call: CallId
    with_: str = msgspec.field(name="with")
    name: str
    direction: Literal["out", "in"]
    media: Media
    at: str  # when it began; RFC 3339, UTC
    answered: bool
    seconds: int  # from the answer to the end
    reason: EndReason


class HistoryEvent(Struct, tag="history", kw_only=True):
    id: str
    calls: list[CallEntry]  # the latest first
    more: bool  # there are earlier ones


class Pong(Struct, tag="pong", kw_only=True):
    id: str


class ContactEvent(Event, tag="contact", kw_only=True):
    contact: Contact
    removed: bool = False


class Incoming(Event, tag="incoming", kw_only=True):
    call: CallId
    from_: str = msgspec.field(name="from")
    name: str
    media: Media
    abilities: Abilities
    replaces: CallId | None = None  # a call of this page that goes on as this one: accept at once, do not ring


class State(Event, tag="state", kw_only=True):
    call: CallId
    state: Literal["proceeding", "ringing", "accepted", "connecting", "connected"]
    abilities: Abilities


class DescriptionEvent(Event, tag="description", kw_only=True):
    call: CallId
    description: Description


class Rollback(Event, tag="rollback", kw_only=True):
    """The page's offer that is outstanding comes to nothing: roll back to what was agreed before. The call goes on."""

    call: CallId
    what: Literal["ice-restart", "add", "remove", "direction", "offer"]


class CandidateEvent(Event, tag="candidate", kw_only=True):
    call: CallId
    candidate: Candidate | None


class InfoEvent(Event, tag="info", kw_only=True):
    call: CallId
    info: Literal["mute", "unmute", "hold", "active"]
    mid: str | None = None


class Missed(Event, tag="missed", kw_only=True):
    from_: str = msgspec.field(name="from")
    name: str
    media: Media
    at: str  # RFC 3339, UTC


class Draining(Event, tag="draining", kw_only=True):
    """The bridge is being stopped: no new calls; reconnect soon."""


SequencedEvent = ContactEvent | Incoming | State | DescriptionEvent | Rollback | CandidateEvent | InfoEvent | Ended | Missed | Draining
ServerFrame = Welcome | IceEvent | HistoryEvent | DeviceList | Ack | Error | Pong | SequencedEvent

CLIENT_TYPES: dict[str, type[Request]] = {str(frame.__struct_config__.tag): frame for frame in ClientFrame.__args__}

_decoder: msgspec.json.Decoder[ClientFrame] = msgspec.json.Decoder(ClientFrame)
_encoder = msgspec.json.Encoder()


def encode(frame: ServerFrame) -> bytes:
    """One frame as UTF-8 JSON."""
    return _encoder.encode(frame)


def decode(data: str | bytes) -> ClientFrame:
    """One client frame. Raises msgspec.ValidationError, msgspec.DecodeError or RecursionError; see `web.frames`."""
    return _decoder.decode(data)


def schema() -> dict[str, Any]:
    """JSON Schema of both directions: ``$defs`` plus ``clientFrame`` and ``serverFrame``."""
    (client, server), definitions = msgspec.json.schema_components([ClientFrame, ServerFrame], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": PROTOCOL,
        "description": "Frames of the jinglebridge WebSocket. Generated from jinglebridge/web/messages.py.",
        "clientFrame": client,
        "serverFrame": server,
        "$defs": definitions,
    }
