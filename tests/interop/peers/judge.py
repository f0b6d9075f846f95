"""Blames the bridge for whatever some client would stumble over: the checklist that satisfies all of them, rule by rule.

It hears every stanza of one peer's account, both ways, and keeps a book for each call. The clients of this package judge by what
they need themselves; the judge is as strict as the strictest, in every story. What one stanza must look like is told by the checks of
the demo contact (`jinglebridge.demo.peer.checks`); here is what only a whole conversation shows. Nothing of it knows the bridge's code.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field

from jinglebridge.demo.peer import checks
from jinglebridge.demo.peer.names import CAPS, CLIENT, DISCO, ICE_UDP, JINGLE, JMI, RECEIPTS, RTP, caps_ver, is_full

from . import media
from .words import Heard, bare, el, error_of, local, new_id, q, what

PATIENCE = 1.5  # seconds for an acknowledgement, a receipt, or the <finish/> beside a session-terminate


@dataclass
class Book:
    """What is known of one call."""

    sid: str
    by_peer: bool  # who called
    media: list[str]
    proposed: bool = True
    proposed_at: float = 0.0
    receipt_wanted: str = ""  # id of the message with the propose
    receipt: bool = False
    answered: set[str] = field(default_factory=set)  # elements of XEP-0353 that the bridge sent
    leg: str = ""  # the bridge's full JID, once it is bound to one
    proceeded: bool = False
    session: bool = False
    offered: list[ET.Element] = field(default_factory=list)
    known: dict[str, tuple[str, str]] = field(default_factory=dict)  # credentials of the bridge's contents
    over_at: float = 0.0  # session-terminate of either side, retract, reject
    over_by: str = ""
    finished: bool = False
    terminates: int = 0
    restarts: int = 0  # ICE restarts that the peer began


class Judge:
    """`breaches` grows; `verdict` adds what never came."""

    def __init__(self, full: str, component: str, now: Callable[[], float], ask: Callable[[ET.Element], None]) -> None:
        self.full, self.component, self._now, self._ask = full, component, now, ask
        self.breaches: list[str] = []
        self.books: dict[str, Book] = {}
        self.quiet_about: list[str] = []  # breaches with these words belong to the story
        self._open: dict[str, tuple[str, str, float]] = {}  # its Jingle requests: id -> (action, sid, when)
        self._asked: dict[str, str] = {}  # disco requests: id -> caps hash

    def blame(self, rule: int | str, words: str) -> None:
        self.breaches.append(f"rule {rule}: {words}")

    def verdict(self) -> list[str]:
        """All breaches, after everything had time to come."""
        now = self._now()
        late = [f"rule 11: {action} was not answered" for action, _, at in self._open.values() if now - at > PATIENCE]
        for book in self.books.values():
            if book.by_peer and book.receipt_wanted and book.answered & {"ringing", "proceed"} and not book.receipt:
                late.append("rule 5: no receipt for the propose")
            if book.by_peer and "proceed" in book.answered and "ringing" not in book.answered:
                late.append("rule 5: proceed without ringing before it")
            if book.session and book.proceeded and book.over_at and not book.finished:
                late.append("rule 12: no <finish/> although the call was proposed")
        return [b for b in self.breaches + late if not any(words in b for words in self.quiet_about)]

    def witness(self, side: str, stanza: ET.Element) -> None:
        """`side`: "says" for the peer's own stanzas, "hears" for what came."""
        word, payload = what(stanza)
        if side == "says":
            self._says(word, payload, stanza)
        elif bare(stanza.get("from", "")).partition("@")[2] == self.component:
            self._hears(Heard(word, stanza, payload, self._now()))

    # --- the peer's own

    def _says(self, word: str, payload: ET.Element | None, stanza: ET.Element) -> None:
        if payload is None or stanza.get("type") in ("result", "error"):
            return
        if payload.tag == q(JINGLE, "jingle"):
            self._open[stanza.get("id", "")] = (word, payload.get("sid", ""), self._now())
            self._own_jingle(word, payload)
        elif payload.tag == q(JMI, "propose"):
            book = Book(payload.get("id", ""), True, [d.get("media", "") for d in payload.findall(q(RTP, "description"))])
            book.proposed_at = self._now()
            if stanza.find(q(RECEIPTS, "request")) is not None:
                book.receipt_wanted = stanza.get("id", "")
            self.books.setdefault(book.sid, book)
        elif local(payload) in ("proceed", "retract", "reject"):
            book = self.books.get(payload.get("id", ""), Book("", True, []))
            book.proceeded |= word == "proceed"
            if word != "proceed":
                self._over(book, "peer")

    def _own_jingle(self, action: str, jingle: ET.Element) -> None:
        book = self.books.get(jingle.get("sid", ""))
        if book is None:
            book = self.books[jingle.get("sid", "")] = Book(jingle.get("sid", ""), True, [], proposed=False)
        if action in ("session-initiate", "session-accept"):
            book.session = True
            if action == "session-initiate":
                book.offered = jingle.findall(q(JINGLE, "content"))
        if action == "transport-info" and next(jingle.iter(q(ICE_UDP, "candidate")), None) is None:
            book.restarts += 1
        if action == "session-terminate":
            self._over(book, "peer")

    def _over(self, book: Book, by: str) -> None:
        if not book.over_at:
            book.over_at, book.over_by = self._now(), by

    # --- the bridge's

    def _hears(self, heard: Heard) -> None:
        if heard.what in ("result", "error") and local(heard.stanza) == "iq":
            self._reply(heard)
        elif local(heard.stanza) == "presence":
            self._presence(heard)
        elif heard.payload is None or heard.what == "query":
            return
        elif heard.payload.tag == q(JINGLE, "jingle"):
            self._jingle(heard)
        else:
            self._message(heard)

    def _reply(self, heard: Heard) -> None:
        id = heard.stanza.get("id", "")
        if id in self._asked and heard.payload is not None:
            identities = [
                (e.get("category", ""), e.get("type", ""), "", e.get("name", "")) for e in heard.payload if local(e) == "identity"
            ]
            computed = caps_ver(identities, [e.get("var", "") for e in heard.payload if local(e) == "feature"])
            for words in checks.presence_disco(heard.payload, self._asked.pop(id), computed):
                self.blame(2, words)
        action, sid, at = self._open.pop(id, ("", "", 0.0))
        if action and self._now() - at > PATIENCE:
            self.blame(11, f"{action} was acknowledged after {self._now() - at:.1f} s")
        late = "unknown-session" in error_of(heard.stanza) and sid in self.books and bool(self.books[sid].over_at)
        if action and heard.what == "error" and not late:
            self.blame(11, f"{action} was answered with {' '.join(error_of(heard.stanza))}, which ends a call of Conversations")

    def _presence(self, heard: Heard) -> None:
        if heard.what != "available":
            return
        caps = heard.stanza.find(q(CAPS, "c"))
        if not is_full(heard.sender) or caps is None or caps.get("hash") != "sha-1":
            self.blame(1, f"presence of {heard.sender} without caps, or not from a full JID")
            return
        id = new_id()
        self._asked[id] = caps.get("ver", "")
        query = el(DISCO, "query", {"node": f"{caps.get('node')}#{caps.get('ver')}"})
        self._ask(el(CLIENT, "iq", {"type": "get", "id": id, "to": heard.sender}, query))

    def _bound(self, book: Book, heard: Heard) -> None:
        """One full JID for one call, from the first stanza that binds it on."""
        if not book.leg:
            book.leg = heard.sender
        elif book.leg != heard.sender:
            self.blame(3, f"{heard.what} comes from {heard.sender}, the call belongs to {book.leg}")
            book.leg = heard.sender

    def _message(self, heard: Heard) -> None:
        assert heard.payload is not None
        if heard.what == "received":
            self._receipt(heard)
            return
        for words in checks.jmi_message(heard.stanza, heard.payload, self.full, dino=False):
            self.blame(12 if "reason" in words else 4, words)
        if heard.what == "propose":
            for words in checks.propose(heard.payload):
                self.blame(4, words)
            found = [d.get("media", "") for d in heard.payload.findall(q(RTP, "description"))]
            self.books.setdefault(heard.sid, Book(heard.sid, False, found, leg=heard.sender))
        book = self.books.get(heard.sid)
        if book is None:
            self.blame(3, f"<{heard.what}> for a call that nobody proposed")
            return
        if heard.what == "finish":
            book.finished = True
            if not book.session and not book.proceeded:
                self.blame(12, "<finish/> for a call that only was proposed")
        elif self._after(book) and heard.what not in ("reject", "retract", "ringing"):
            self.blame(12, f"<{heard.what}> for a call that is over")
        if heard.what != "ringing":  # several pages of one person may ring
            self._bound(book, heard)
        book.answered.add(heard.what)
        book.proceeded |= heard.what == "proceed"
        if heard.what in ("ringing", "proceed") and not book.by_peer:
            self.blame(3, f"<{heard.what}> from the one who called")
        if heard.what in ("retract", "reject"):
            self._over(book, "bridge")
            if book.session:
                self.blame(12, f"<{heard.what}> although there is a session")

    def _after(self, book: Book) -> bool:
        """Is it over, and could the bridge know? What the peer ended itself may cross with what was under way."""
        return bool(book.over_at) and (book.over_by == "bridge" or self._now() - book.over_at > PATIENCE)

    def _receipt(self, heard: Heard) -> None:
        assert heard.payload is not None
        book = next((b for b in self.books.values() if b.receipt_wanted and b.receipt_wanted == heard.payload.get("id")), None)
        if book is None or heard.stanza.get("to") != self.full:
            self.blame(5, "a receipt for nothing, or not to the full JID that asked for it")
            return
        book.receipt = True
        if self._now() - book.proposed_at > PATIENCE:
            self.blame(5, "the receipt came late")

    def _jingle(self, heard: Heard) -> None:
        assert heard.payload is not None
        action = heard.what
        if heard.stanza.get("to") != self.full:
            self.blame(3, f"{action} goes to {heard.stanza.get('to')}")
        book = self.books.get(heard.sid)
        if book is None:
            book = self.books[heard.sid] = Book(heard.sid, False, [], proposed=False)
        self._bound(book, heard)
        if self._after(book) and action != "session-terminate":
            self.blame(12, f"{action} after the end")
        if action == "session-terminate":
            self._terminate(book, heard)
        elif action == "session-initiate":
            self._initiate(book, heard)
        elif action == "session-accept":
            book.known = media.credentials(heard.contents)
            for words in checks.description(heard.payload, offered=book.offered, grouped=_grouped(book.offered)):
                self.blame("7-13", words)
        elif action == "transport-info":
            self._transport_info(book, heard)
        elif action in ("content-add", "content-accept"):
            self._content(book, heard)
        elif action == "session-info":
            for words in checks.session_info(heard.payload, book.known):
                self.blame(11, words)

    def _initiate(self, book: Book, heard: Heard) -> None:
        assert heard.payload is not None
        book.session, book.known, book.offered = True, media.credentials(heard.contents), heard.contents
        for words in checks.description(heard.payload):
            self.blame("7-13", words)
        if book.proposed and not book.proceeded:
            self.blame(12, "session-initiate before anybody proceeded")
        if book.proposed and media.media_of(heard.contents) != sorted(book.media):
            self.blame(6, f"session-initiate of {media.media_of(heard.contents)} after a propose of {book.media}")
        if not book.proposed and next(heard.payload.iter(q(ICE_UDP, "candidate")), None) is not None:
            self.blame("privacy", "candidates in a session-initiate that nobody has accepted yet")

    def _transport_info(self, book: Book, heard: Heard) -> None:
        assert heard.payload is not None
        fresh = media.credentials(heard.contents)
        empty = next(heard.payload.iter(q(ICE_UDP, "candidate")), None) is None
        if empty and fresh and all(all(pair) and (book.known.get(name) != pair or book.restarts) for name, pair in fresh.items()):
            book.known |= fresh  # an ICE restart, or the answer to one, which may repeat what crossed it
            return
        if not empty and book.restarts and all(all(pair) for pair in fresh.values()):
            book.known |= fresh  # the answer to its restart is the first candidate of the new credentials
        for words in checks.transport_info(heard.payload, book.known):
            self.blame("8-9", words)

    def _content(self, book: Book, heard: Heard) -> None:
        """A section that comes later: one content, fully described, on the transport of the bundle if it has none of its own."""
        assert heard.payload is not None
        if len(heard.contents) != 1:
            self.blame(8, f"{heard.what} with {len(heard.contents)} contents")
        for content in heard.contents:
            name = content.get("name", "")
            description, transport = content.find(q(RTP, "description")), content.find(q(ICE_UDP, "transport"))
            if description is None or transport is None or not description.get("media"):
                self.blame(13, f"{heard.what} without a description or a transport")
                continue
            for words in checks.blanks(content):
                self.blame(13, words)
            if heard.what == "content-add" and name in book.known:
                self.blame(10, f"content-add of {name}, which exists")
            if heard.what == "content-add" and content.get("creator") != ("responder" if book.by_peer else "initiator"):
                self.blame(10, f"content-add by the {content.get('creator')}")
            book.known[name] = (transport.get("ufrag") or next(iter(book.known.values()))[0],
                                transport.get("pwd") or next(iter(book.known.values()))[1])  # fmt: skip

    def _terminate(self, book: Book, heard: Heard) -> None:
        assert heard.payload is not None
        book.terminates += 1
        for words in checks.reason(heard.payload):
            self.blame(12, words)
        if not book.session:
            self.blame(12, "session-terminate for a call that only was proposed")
        if book.terminates > 1:
            self.blame(12, "a second session-terminate")
        self._over(book, "bridge")


def _grouped(offered: list[ET.Element]) -> bool:
    """Did the peer's offer go out as a BUNDLE? All clients of this package but one content alone need no group."""
    return True
