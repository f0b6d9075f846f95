"""Web sessions: one open page each, with an address of its own that outlives its socket.

A session numbers its events and keeps the last ones, so that a page whose socket broke gets what it missed, exactly once.
The secret for that is good for one resume and is stored only as a hash.

Spec: DESIGN §2 (web session), §3 (Resume).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from jinglebridge.web import messages as m
from jinglebridge.web.tokens import Identity

MAX_EVENTS = 256
MAX_BUFFER = 192 * 1024  # with the welcome before them they must fit into the queue of a connection, or the page could never come back
MAX_REPLIES = 256
MAX_ENDED = 32  # ends of calls that are told again when the events are gone


class Wire(Protocol):
    """The transport under a session."""

    def send(self, frame: bytes) -> None: ...
    def waiting(self) -> int:
        """Bytes that the page has not taken yet."""

    def close(self, code: int, reason: str) -> None: ...


def new_secret() -> str:
    return secrets.token_urlsafe(24)


def hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


@dataclass(slots=True)
class Allowance:
    """A token bucket: how much a page may ask for. `rate` units a second, `burst` at once. DESIGN §5."""

    rate: float = 30.0
    burst: float = 400.0
    left: float = 400.0
    at: float = 0.0

    def take(self, now: float, cost: float) -> bool:
        """True if there was enough left; `now` in seconds."""
        self.left = min(self.burst, self.left + (now - self.at) * self.rate)
        self.at = now
        if self.left < cost:
            return False
        self.left -= cost
        return True


@dataclass(slots=True, eq=False)
class Session:
    """`jid` is full; `wire` is None while no socket is attached."""

    jid: str
    identity: Identity
    name: str
    video: bool = True
    show: str = "available"
    status: str = ""
    wire: Wire | None = None
    seq: int = 0
    complete_from: int = 1  # events from this number on are still in the buffer
    secret_hash: str = ""
    previous_hash: str = ""  # good until the first frame on the new socket: the welcome with the next secret may be lost
    replayable: bool = True  # False after a restart of the bridge: its events are not the ones that the page counted
    allowance: Allowance = field(default_factory=Allowance)
    resumed_once: bool = False
    _events: list[tuple[int, bytes]] = field(default_factory=list)  # an empty deque has 600 bytes
    _size: int = 0
    _replies: dict[str, bytes | None] = field(default_factory=dict)  # in the order of the requests; None: just an ack
    _ended: list[m.Ended] = field(default_factory=list)

    @property
    def bare(self) -> str:
        return self.jid.partition("/")[0]

    def event(self, event: m.SequencedEvent) -> None:
        """Number an event, keep it, and send it if a socket is there."""
        self.seq += 1
        event.seq = self.seq
        if isinstance(event, m.Ended):
            self._ended = [*self._ended[-MAX_ENDED + 1 :], event]
        frame = m.encode(event)
        self._events.append((self.seq, frame))
        self._size += len(frame)
        while len(self._events) > MAX_EVENTS or self._size > MAX_BUFFER:
            self._drop_oldest()
        if self.wire is not None:
            self.wire.send(frame)

    def confirm(self, seq: int) -> None:
        """The client has seen the events up to `seq`."""
        while self._events and self._events[0][0] <= seq:
            self._drop_oldest()
        self._ended = [end for end in self._ended if end.seq > seq]

    def _drop_oldest(self) -> None:
        seq, frame = self._events.pop(0)
        self._size -= len(frame)
        self.complete_from = seq + 1

    def can_replay(self, last_seq: int) -> bool:
        """Is everything after `last_seq` still here?"""
        return self.replayable and self.complete_from - 1 <= last_seq <= self.seq

    def replay(self, last_seq: int) -> list[bytes]:
        return [frame for seq, frame in self._events if seq > last_seq]

    def ended_since(self, last_seq: int) -> list[m.Ended]:
        """Ends of calls after `last_seq`, kept longer than other events: no snapshot tells why a call is not in it any more."""
        return [end for end in self._ended if not self.replayable or end.seq > last_seq]

    def forget_events(self) -> None:
        self._events.clear()
        self._ended.clear()
        self._size, self.complete_from, self.replayable = 0, self.seq + 1, True

    def reply(self, id: str, frame: m.Ack | m.Error) -> None:
        """Answer a request, and remember the answer: a client that reconnects asks again with the same id."""
        data = m.encode(frame)
        self._replies[id] = None if isinstance(frame, m.Ack) else data
        if len(self._replies) > MAX_REPLIES:
            del self._replies[next(iter(self._replies))]
        if self.wire is not None:
            self.wire.send(data)

    def repeat(self, id: str) -> bool:
        """True if the request `id` was answered before; the answer is sent again."""
        if id not in self._replies:
            return False
        if self.wire is not None:
            self.wire.send(self._replies[id] or m.encode(m.Ack(id=id)))
        return True

    def rotate_secret(self) -> str:
        secret = new_secret()
        self.previous_hash, self.secret_hash = self.secret_hash, hashed(secret)
        return secret


class Sessions:
    """All sessions, by address and by resume secret."""

    def __init__(self, domain: str) -> None:
        self._domain = domain
        self.by_jid: dict[str, Session] = {}
        self._by_bare: dict[str, dict[str, Session]] = {}  # bare JID -> full JID -> session
        self._by_secret: dict[str, Session] = {}
        self.on_secret: Callable[[Session], None] = lambda session: None

    def create(self, identity: Identity, name: str, video: bool) -> Session:
        jid = f"{identity.user}@{self._domain}/w-{secrets.token_urlsafe(16)}"
        return self.restore(Session(jid, identity, name, video))

    def restore(self, session: Session) -> Session:
        """Take in a session, perhaps one of an earlier life of the bridge."""
        self.by_jid[session.jid] = session
        self._by_bare.setdefault(session.bare, {})[session.jid] = session
        if session.secret_hash:
            self._by_secret[session.secret_hash] = session
        return session

    def next_secret(self, session: Session) -> str:
        """A new resume secret. The one before stays good until `settle`, since the page may never hear of the new one."""
        if session.previous_hash:  # not settled: the page never used the current one
            self._by_secret.pop(session.secret_hash, None)
            session.secret_hash = session.previous_hash
        secret = session.rotate_secret()
        self._by_secret[session.secret_hash] = session
        self.on_secret(session)
        return secret

    def settle(self, session: Session) -> None:
        """The page spoke on its new socket, so it has the new secret: the old one is dead."""
        self._by_secret.pop(session.previous_hash, None)
        session.previous_hash = ""

    def find(self, secret: str) -> Session | None:
        return self._by_secret.get(hashed(secret))

    def of(self, bare: str) -> list[Session]:
        return list(self._by_bare.get(bare, {}).values())

    def seal(self, session: Session) -> None:
        """Nobody comes back to this session any more, whatever of it still has to be ended."""
        for hash in (session.secret_hash, session.previous_hash):
            self._by_secret.pop(hash, None)

    def remove(self, session: Session) -> None:
        self.seal(session)
        self.by_jid.pop(session.jid, None)
        pages = self._by_bare.get(session.bare, {})
        pages.pop(session.jid, None)
        if not pages:
            self._by_bare.pop(session.bare, None)
