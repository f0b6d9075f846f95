"""What the clients have in common: an account that never sleeps, a call as it sees it, and the reflexes of every XMPP client."""

from __future__ import annotations

import asyncio
import copy
import ssl
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from jinglebridge.demo.lab import Ejabberd
from jinglebridge.demo.peer.names import CAPS, CLIENT, DISCO, ICE_UDP, JINGLE, PING, caps_ver

from ..raw import RawXmpp
from . import media
from .words import Heard, bare, el, error_of, iq_error, jingle, new_id, q, said, text, what

SERVER_REFLEXIVE = {
    "type": "srflx", "ip": "198.51.100.7", "port": "49152", "rel-addr": "192.0.2.2", "rel-port": "49376", "id": "srflx1",
    "foundation": "2", "priority": "1694498815",
}  # fmt: skip


class Wire(RawXmpp):
    """An account whose stanzas are handed on as long as the loop runs."""

    def __init__(self, server: Ejabberd, user: str, loop: asyncio.AbstractEventLoop, heard: Callable[[ET.Element], None]) -> None:
        super().__init__(server, user, online=False)
        self._loop, self._heard = loop, heard
        self.socket.setblocking(False)
        loop.add_reader(self.socket, self.readable)

    def readable(self) -> None:
        while True:
            try:
                data = self.socket.recv(65536)
            except (ssl.SSLWantReadError, BlockingIOError):
                break
            assert data, "the server closed the stream"
            self._feed(data)
        while self._ready:
            self._heard(self._ready.pop(0))

    def send(self, stanza: str) -> None:
        self.socket.settimeout(5)
        super().send(stanza)
        self.socket.setblocking(False)

    def close(self) -> None:
        self._loop.remove_reader(self.socket)
        self.socket.close()


@dataclass
class Leg:
    """One call of a peer, as the peer sees it."""

    sid: str
    caller: bool
    media: tuple[str, ...]
    other: str = ""  # the full JID of the other side, once known
    state: str = "proposed"
    jmi: bool = True
    own: list[ET.Element] = field(default_factory=list)  # our contents as sent
    theirs: list[ET.Element] = field(default_factory=list)
    candidates: list[tuple[str, dict[str, str]]] = field(default_factory=list)  # ours
    heard: list[tuple[str, ET.Element]] = field(default_factory=list)  # theirs, with the name of their content
    ended: str = ""  # why, in the client's own words

    @property
    def role(self) -> str:
        return "initiator" if self.caller else "responder"

    def known(self) -> dict[str, tuple[str, str]]:
        return media.credentials(self.theirs)


class Peer:
    """A client. Subclasses have a method ``on_WORD`` for each word of `words.what` that they act upon.

    Verbs in the third person (``proposes``) are what its user does or a story makes it do; ``expects`` and ``hears`` wait for
    the bridge. Everything that came and has not been expected yet stays in `inbox`.
    """

    node = ""
    identity = ("client", "phone", "")
    features: tuple[str, ...] = ()
    iq_patience = 15.0  # seconds until an unanswered IQ counts as a timeout
    case = ""  # the recorded scenario that its descriptions are from; empty: by the media of the call
    initiates = True  # False: its user gives up right after the proceed
    said = staticmethod(said)

    def __init__(self, loop: asyncio.AbstractEventLoop, server: Ejabberd, user: str, witness: Callable[[str, ET.Element], None]) -> None:
        self.loop = loop
        self.legs: dict[str, Leg] = {}
        self.inbox: list[Heard] = []
        self.blames: list[str] = []  # what this client itself found wrong
        self.deaf: set[str] = set()  # words it does not even acknowledge, if a story says so
        self._witness = witness  # ("hears" | "says", stanza)
        self._open: dict[str, tuple[str, str, asyncio.TimerHandle]] = {}
        self._last: dict[str, ET.Element] = {}  # by word
        self._replies: dict[str, tuple[str, ...]] = {}  # to what was repeated
        self.wire = Wire(server, user, loop, self._stanza)
        self.full, self.jid = self.wire.full, self.wire.jid
        self.sends(el(CLIENT, "presence", None, el(CAPS, "c", {"hash": "sha-1", "node": self.node, "ver": self.ver})))

    def close(self) -> None:
        for *_, timer in self._open.values():
            timer.cancel()
        self.wire.close()

    @property
    def ver(self) -> str:
        category, kind, name = self.identity
        return caps_ver([(category, kind, "", name)], list(self.features))

    @property
    def leg(self) -> Leg:
        """The last call."""
        return list(self.legs.values())[-1]

    # --- saying

    def sends(self, stanza: ET.Element) -> None:
        self._witness("says", stanza)
        self._last[what(stanza)[0]] = stanza
        self.wire.send(text(stanza))

    def acks(self, iq: ET.Element) -> None:
        self.sends(el(CLIENT, "iq", {"type": "result", "id": iq.get("id", ""), "to": iq.get("from", "")}))

    def refuses(self, iq: ET.Element, kind: str, condition: str, jingle_condition: str = "") -> None:
        self.sends(iq_error(iq, kind, condition, jingle_condition))

    def asks(self, action: str, leg: Leg, *children: ET.Element, **attributes: str) -> str:
        """Send a Jingle action; `answered` is called with what comes back, or with ("timeout",). Its IQ id."""
        id = new_id()
        timer = self.loop.call_later(self.iq_patience, self._answer, id, ("timeout",))
        self._open[id] = (action, leg.sid, timer)
        self.sends(el(CLIENT, "iq", {"type": "set", "id": id, "to": leg.other}, jingle(action, leg.sid, *children, **attributes)))
        return id

    def answered(self, leg: Leg, action: str, error: tuple[str, ...]) -> None:
        """The reply to a Jingle action of ours; `error` is empty for a result."""

    def _answer(self, id: str, error: tuple[str, ...]) -> None:
        action, sid, timer = self._open.pop(id, ("", "", None))
        if timer is not None:
            timer.cancel()
            if sid in self.legs:
                self.answered(self.legs[sid], action, error)

    # --- hearing

    def _stanza(self, stanza: ET.Element) -> None:
        word, payload = what(stanza)
        heard = Heard(word, stanza, payload, self.loop.time())
        self.inbox.append(heard)
        self._witness("hears", stanza)
        if word in ("result", "error"):
            self._answer(stanza.get("id", ""), error_of(stanza) if word == "error" else ())
        elif stanza.get("type") in ("get", "set") and stanza.tag == q(CLIENT, "iq"):
            self._request(heard)
        else:
            self._handler(word)(heard)

    def _handler(self, word: str) -> Callable[[Heard], None]:
        return getattr(self, "on_" + word.replace("-", "_"), self.on_other)

    def _request(self, heard: Heard) -> None:
        assert heard.payload is not None
        if heard.what in self.deaf:
            return
        if heard.payload.tag == q(JINGLE, "jingle"):
            self._handler(heard.what)(heard)
        elif heard.payload.tag == q(DISCO, "query"):
            category, kind, name = self.identity
            found = [el(DISCO, "identity", {"category": category, "type": kind, "name": name})]
            found += [el(DISCO, "feature", {"var": feature}) for feature in self.features]
            node = {"node": heard.payload.get("node", "")} if heard.payload.get("node") else {}
            ids = {"type": "result", "id": heard.stanza.get("id", ""), "to": heard.sender}
            self.sends(el(CLIENT, "iq", ids, el(DISCO, "query", node, *found)))
        elif heard.stanza.get("type") == "set":
            self.acks(heard.stanza)  # roster pushes
        else:
            self.refuses(heard.stanza, "cancel", "service-unavailable")

    def on_other(self, heard: Heard) -> None:
        if heard.stanza.tag == q(CLIENT, "iq"):
            self.acks(heard.stanza)

    def on_subscribe(self, heard: Heard) -> None:
        """Every user of these tests accepts and wants to see the page in return."""
        for kind in ("subscribed", "subscribe"):
            self.sends(el(CLIENT, "presence", {"type": kind, "to": bare(heard.sender)}))

    # --- shared moves

    def own_leg(self, heard: Heard) -> Leg | None:
        """The call that a stanza belongs to, if it comes from that call's other side."""
        leg = self.legs.get(heard.sid)
        return leg if leg is not None and bare(leg.other) == bare(heard.sender) else None

    def dialect(self, content: ET.Element) -> None:
        """How this client writes one content."""

    def describes(self, leg: Leg, kind: str) -> list[ET.Element]:
        """Our contents for an offer or an answer; our candidates wait in `leg.candidates`."""
        round_ = media.talk(leg.media, self.case)
        leg.own = media.contents(getattr(round_, kind), leg.role, self.dialect)
        leg.candidates = media.candidates(getattr(round_, f"{kind}_candidates"))
        leg.candidates.append((leg.own[0].get("name", ""), {**leg.candidates[0][1], **SERVER_REFLEXIVE}))
        return leg.own

    def trickle(self, leg: Leg) -> None:
        """All candidates, one in each transport-info, with the credentials beside it."""
        for name, attributes in leg.candidates:
            self.asks("transport-info", leg, self.transport(leg, name, [attributes]))
        leg.candidates = []

    def transport(self, leg: Leg, name: str, candidates: Iterable[dict[str, str]] = (), **other: str) -> ET.Element:
        """A content with nothing but a transport; `other` replaces the credentials."""
        ufrag, pwd = media.credentials(leg.own)[name]
        found = [el(ICE_UDP, "candidate", attributes) for attributes in candidates]
        transport = el(ICE_UDP, "transport", other or {"ufrag": ufrag, "pwd": pwd}, *found)
        return el(JINGLE, "content", {"creator": "initiator", "name": name}, transport)

    def ends(self, leg: Leg, why: str) -> None:
        leg.state, leg.ended = "ended", leg.ended or why

    def repeats(self, word: str) -> str:
        """Send the last stanza of this word once more; its id, a new one for a request."""
        stanza = copy.deepcopy(self._last[word])
        if stanza.tag == q(CLIENT, "iq"):
            stanza.set("id", new_id())
        self.wire.send(text(stanza))
        return stanza.get("id", "")

    def pings(self, to: str) -> str:
        id = new_id()
        self.wire.send(text(el(CLIENT, "iq", {"type": "get", "id": id, "to": to}, el(PING, "ping"))))
        return id

    def reply(self, id: str) -> Heard | None:
        return next((h for h in self.inbox if h.what in ("result", "error") and h.stanza.get("id") == id), None)

    def pauses(self) -> None:
        """It still speaks, and hears nothing until `resumes`: stanzas that cross."""
        self.loop.remove_reader(self.wire.socket)

    def resumes(self) -> None:
        self.loop.add_reader(self.wire.socket, self.wire.readable)
        self.loop.call_soon(self.wire.readable)

    def forgets(self) -> None:
        """It has no calls any more, and told nobody: killed, or its battery is empty."""
        for leg in self.legs.values():
            self.ends(leg, "forgotten")

    def goes_offline(self) -> None:
        self.sends(el(CLIENT, "presence", {"type": "unavailable"}))
