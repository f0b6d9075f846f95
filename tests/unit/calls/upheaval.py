"""A running call that changes all the time, from a seed. No tests here.

`Seat` is an engine with a page (a browser on paper); what it says to the page arrives late, and so does what it says to the peer. The
peer is another `Seat` (`Pair`), or a hand that acknowledges, refuses, answers, ignores and invents (`Hand`). Between any two events an
engine may be saved and read back. Timers fire when the schedule likes.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from jinglebridge import sdp
from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls import stored
from jinglebridge.calls.admission import Admission, Policy
from jinglebridge.calls.dialect import mark_of
from jinglebridge.calls.model import JMI, CallState, Endpoint, Limits, PeerInfo, PeerResource, Timers, bare
from jinglebridge.calls.registry import Registry
from jinglebridge.calls.states import Session, Signalling
from jinglebridge.errors import ProtocolError
from jinglebridge.jingle import Candidate, Content, IceUdpTransport, Jingle, Proceed, Propose, Reason, Role, Senders
from jinglebridge.jingle.private import NEGOTIATION, Negotiation
from jinglebridge.jingle.private import NS as NS_BRIDGE
from jinglebridge.translate.policy import NONE
from jinglebridge.translate.side import Side
from tests.unit.calls.far import NODES
from tests.unit.calls.paper import Browser
from tests.unit.calls.world import DEVICE, unpacked, wired

MANY = 10**6
JULIET, ROMEO = "juliet@one.example.org/page", "romeo@two.example.net/page"


def device(jid: str, kind: str) -> PeerResource:
    node = next((f"https://{host}" for host, name in NODES.items() if name == kind), "")
    return PeerResource(jid, frozenset(DEVICE | {JMI} | ({NS_BRIDGE} if kind == "bridge" else set())), 0, node)


class Seat:
    """An engine, its page, and what it has sent that has not arrived."""

    def __init__(self, jid: str, peer: str, kind: str, chance: random.Random) -> None:
        self.jid, self.peer, self.chance = jid, peer, chance
        self.now = 1000.0
        self.ids = 0
        limits = Limits(MANY, MANY, MANY, MANY)
        policy = Policy(jid.partition("@")[2].partition("/")[0], frozenset({peer.partition("@")[2].partition("/")[0]}))
        info = PeerInfo("", (device(peer, kind),))
        self.registry = Registry(Admission(policy, limits), lambda own, to: info, self._id, Timers())
        self.registry.online(Endpoint(jid, anyone=True))
        self.page = Browser(jid[0], chance)
        self.to_page: deque[fx.Effect] = deque()
        self.to_peer: deque[Any] = deque()
        self.timers: dict[str, float] = {}
        self.call = ""
        self.ended = ""
        self.steps: list[str] = []  # what happened, to be read when it fails

    def _id(self) -> str:
        self.ids += 1
        return f"{self.jid[0]}{self.ids}"

    @property
    def state(self) -> CallState | None:
        return next(iter(self.registry.calls.values()), None)

    # --- one event

    def take(self, effects: list[fx.Effect]) -> None:
        for effect in effects:
            match effect:
                case fx.SendJmi() | fx.SendJingle():
                    self.to_peer.append(effect)
                case fx.StartTimer(_, name, seconds):
                    self.timers[name] = self.now + seconds
                case fx.StopTimers():
                    self.timers.clear()
                case fx.TellEnded(reason=reason):
                    self.ended = reason
                case fx.TellIncoming(call=call):
                    self.call = call
                case fx.TellDescription() | fx.TellRollback():
                    assert not self.ended, "nothing after the end"
                    self.to_page.append(effect)
        assert self.state is not None or not self.timers, "a timer of a call that is over"
        for effect in effects:
            if isinstance(effect, fx.Note):
                assert not any(secret in f"{effect.event} {effect.detail}" for secret in ("192.0.2", "pppp", "candidate:", "v=0"))
        self.reread()

    def reread(self) -> None:
        """The engine forgets everything and reads its journal."""
        state = self.state
        if state is None or self.chance.random() < 0.7:
            return
        if self.chance.random() < 0.3:
            state.pack()
        kept, text = stored.saved(state.side), state.to_json()
        again = CallState.from_json(text)
        assert unpacked(again.to_json()) == unpacked(text)
        assert stored.saved(again.side) == kept, "a call is what was kept of it"
        again.pack()
        self.registry.calls[state.key] = again

    def hears(self, jingle: Jingle, reply: Callable[[ev.Answered], None] = lambda answer: None) -> None:
        """A stanza of the peer, and what it gets for it. Anything but a ProtocolError is a fault."""
        read, text = wired(jingle)
        effects: list[fx.Effect] = []
        answer = ev.Answered(jingle.action)
        try:
            effects = self.registry.from_peer(ev.JingleReceived(read, self.peer, self.jid, text), self.now)
        except ProtocolError as error:
            assert not any(secret in str(error) for secret in ("192.0.2", "pppp")), "an address in an error"
            answer = ev.Answered(jingle.action, error.condition, error.jingle)
        self.steps.append(
            f"{self.jid[0]} hears {jingle.action} {[c.name for c in jingle.contents]} {mark_of(jingle) or ''} -> {answer.condition}"
        )
        reply(answer)  # ack first: J-077
        self.take(effects)

    def answered(self, answer: ev.Answered, sid: str) -> None:
        key = (bare(self.jid), bare(self.peer), sid)
        self.steps.append(f"{self.jid[0]} is answered {answer.action} {answer.condition} {answer.jingle}")
        self.take(self.registry.handle(key, answer, self.now))

    def does(self, event: ev.EndpointEvent) -> bool:
        """The page does something. False: it was refused."""
        self.steps.append(f"{self.jid[0]} does {type(event).__name__} {getattr(event, 'type', '')}")
        try:
            effects = self.registry.from_endpoint(self.jid, event, self.now)
        except ProtocolError as error:
            self.steps.append(f"  refused: {error}")
            return False
        self.take(effects)
        return True

    def fire(self, name: str) -> None:
        self.steps.append(f"{self.jid[0]} timer {name}")
        self.now = max(self.now, self.timers.pop(name))
        state = self.state
        assert state is not None
        self.take(self.registry.handle(state.key, ev.TimerFired(name), self.now))

    def lose_patience(self) -> None:
        """The timer of a change fires although what it waits for is on its way; but no page is away longer than it may be."""
        if "change" in self.timers and not (self.state and self.state.change and self.state.change.over):
            self.fire("change")

    # --- the page

    def page_hears(self) -> None:
        effect = self.to_page.popleft()
        self.steps.append(f"{self.jid[0]}'s page hears {type(effect).__name__} {getattr(effect, 'type', '')}")
        if self.ended:
            return
        match effect:
            case fx.TellRollback():
                self.page.rollback()
            case fx.TellDescription(type="offer", sdp=text):
                answer = self.page.hear_offer(text, reject=bool(self.page.sections) and self.chance.random() < 0.15)
                self.does(ev.Described(self.call, "answer", answer))
            case fx.TellDescription(sdp=text):
                if self.page.pending is not None:  # else of an offer that was taken back
                    self.page.hear_answer(text)

    def page_changes(self) -> None:
        offer = self.page.change()
        if offer is not None and not self.does(ev.Described(self.call, "offer", offer)):
            self.page.rollback()

    def page_says(self) -> None:
        roll = self.chance.random()
        if roll < 0.6:
            self.page_changes()
        elif roll < 0.9:
            candidate = self.page.candidate()
            if candidate is not None:
                self.does(ev.Gathered(self.call, candidate))
        else:
            self.does(ev.Informed(self.call, self.chance.choice(("hold", "active", "mute")), None))

    def quiet(self) -> None:
        """After all timers: nobody waits for anybody."""
        state = self.state
        if state is None:
            assert self.ended
            assert not (self.registry.calls or self.registry._of_endpoint or self.registry._of_peer or self.registry._seen_by)
            return
        assert state.session is Session.ACTIVE
        assert state.change is None and state.signalling is Signalling.STABLE, "a change is pending for ever"
        assert not state.inbox, "a stanza waits for ever"
        assert self.page.pending is None, "the page waits for ever"


class Pair:
    """Two engines and their pages; `kind`: what each takes the other for."""

    def __init__(self, seed: int, kind: str = "") -> None:
        chance = self.chance = random.Random(seed)
        self.kind = kind or chance.choice(("bridge", "bridge", "bridge", "unknown", "conversations", "dino", "movim"))
        self.seats = (Seat(JULIET, ROMEO, self.kind, chance), Seat(ROMEO, JULIET, self.kind, chance))
        self.hasty = chance.random() < 0.5  # timers fire although what they wait for is on its way
        one, two = self.seats
        one.call = "c"
        one.page.add("audio")
        if chance.random() < 0.4:
            one.page.add("video")
        one.page.keep()
        one.does(ev.Placed("c", bare(ROMEO), one.page.offer()))
        self.drain()
        two.does(ev.Accepted(two.call))
        two.page.role, one.page.role = "active", "passive"
        self.drain()
        assert all(seat.state and seat.state.session is Session.ACTIVE for seat in self.seats)

    def other(self, seat: Seat) -> Seat:
        return self.seats[1 - self.seats.index(seat)]

    def deliver(self, seat: Seat) -> None:
        what, to = seat.to_peer.popleft(), self.other(seat)
        if isinstance(what, tuple):
            to.answered(*what)
        elif isinstance(what, fx.SendJmi):
            to.take(to.registry.from_peer_message(ev.JmiReceived(what.jmi, what.sender, what.to), to.now))
        else:
            to.hears(what.jingle, lambda answer: to.to_peer.append((replace(answer, change=what.change), what.jingle.sid)))

    def drain(self) -> None:
        while any(seat.to_peer or seat.to_page for seat in self.seats):
            for seat in self.seats:
                while seat.to_page:
                    seat.page_hears()
                while seat.to_peer:
                    self.deliver(seat)

    def step(self) -> None:
        seat = self.chance.choice(self.seats)
        roll = self.chance.random()
        if roll < 0.4:
            if seat.to_peer:
                self.deliver(seat)
        elif roll < 0.65:
            if seat.to_page:
                seat.page_hears()
        elif roll < 0.95 or not self.hasty:
            if not seat.ended:
                seat.page_says()
        else:
            seat.lose_patience()
        if self.chance.random() < 0.05:
            self.drain()

    def run(self, steps: int = 60) -> None:
        for _ in range(steps):
            self.step()
        self.settle()
        for seat in self.seats:
            seat.quiet()
        if not self.hasty and self.kind == "bridge":
            self.agree()
        if not self.seats[0].ended:
            self.seats[0].does(ev.HungUp("c"))
        self.drain()
        for seat in self.seats:
            seat.quiet()
            assert seat.ended == "ended" and not seat.timers

    def settle(self) -> None:
        self.drain()
        for _ in range(60):
            due = [seat for seat in self.seats if "change" in seat.timers]
            if not due:
                break
            for seat in due:
                if "change" in seat.timers:
                    seat.fire("change")
                self.drain()
        else:
            raise AssertionError("timers for ever")

    def agree(self) -> None:
        """Both know the same of each other, and both pages have the same sections."""
        one, two = self.seats
        if one.ended or two.ended:
            return
        for a, b in ((one, two), (two, one)):
            assert a.state is not None and b.state is not None
            own, peer = a.state.side.own, b.state.side.peer
            assert own is not None and peer is not None
            mine = [(c.name, c.senders, c.transport and c.transport.ufrag) for c in own.contents]
            theirs = [(c.name, c.senders, c.transport and c.transport.ufrag) for c in peer.contents]
            assert sorted(mine, key=str) == sorted(theirs, key=str)
            assert {c.transport.ufrag for c in own.contents if c.transport} <= {a.page.ufrag}
        assert sorted(s.kind for s in one.page.sections if not s.stopped) == sorted(s.kind for s in two.page.sections if not s.stopped)


class Hand:
    """One engine, and a peer without a plan."""

    def __init__(self, seed: int) -> None:
        chance = self.chance = random.Random(seed)
        self.kind = chance.choice(("bridge", "unknown", "conversations", "dino", "movim", "monal", "stanza"))
        self.calls = chance.random() < 0.5
        seat = self.seat = Seat(JULIET, ROMEO, self.kind, chance)
        self.browser = Browser("h", chance)
        side = Side(Role.INITIATOR if self.calls else Role.RESPONDER, "s", NONE, self.kind == "bridge")
        if self.calls:
            self.browser.add("audio")
            self.browser.add("video")
            self.browser.keep()
            seat.take(seat.registry.from_peer_message(ev.JmiReceived(Propose("s", ("audio", "video")), ROMEO, JULIET), seat.now))
            seat.does(ev.Accepted(seat.call))
            (initiate,) = side.offer(sdp.parse(self.browser.offer()))
            seat.hears(initiate)
            seat.page_hears()
            accept = [e.jingle for e in seat.to_peer if isinstance(e, fx.SendJingle) and e.jingle.action == "session-accept"]
            side.hear_answer(accept)
        else:
            seat.call = "c"
            seat.page.add("audio")
            seat.page.keep()
            seat.does(ev.Placed("c", bare(ROMEO), seat.page.offer()))
            sid = seat.state.sid  # type: ignore[union-attr]
            side.sid = sid
            seat.take(seat.registry.from_peer_message(ev.JmiReceived(Proceed(sid), ROMEO, JULIET), seat.now))
            initiate = [e.jingle for e in seat.to_peer if isinstance(e, fx.SendJingle)]
            answer = self.browser.hear_offer(side.hear_offer(initiate).format())
            for jingle in side.answer(sdp.parse(answer)):
                seat.hears(jingle)
            seat.page_hears()
        seat.page.role = "passive"
        self.side, self.sid = side, side.sid
        assert seat.state is not None and seat.state.session is Session.ACTIVE
        seat.to_peer.clear()

    # --- what it says

    def content(self, names: list[str]) -> Content:
        """A content that is whole, or not."""
        chance = self.chance
        whole = [*(self.side.own.contents if self.side.own else ()), *(self.side.peer.contents if self.side.peer else ())]
        content = chance.choice(whole)
        transport = content.transport
        ufrag, pwd = (f"quf{chance.randrange(4)}", "p" * 22) if chance.random() < 0.5 else (None, None)
        candidate = Candidate(1, "1", "192.0.2.7", 5000, 1, "host", id="x")
        transport = chance.choice(
            (
                transport,
                None,
                IceUdpTransport(),
                IceUdpTransport(ufrag, pwd),
                IceUdpTransport(ufrag, pwd, candidates=(candidate,)),
                None if transport is None else replace(transport, ufrag=ufrag or transport.ufrag, pwd=pwd or transport.pwd),
            )
        )
        senders = chance.choice((None, Senders.BOTH, Senders.NONE, Senders.INITIATOR, Senders.RESPONDER))
        creator = chance.choice((Role.INITIATOR, Role.RESPONDER))
        description = content.description if chance.random() < 0.7 else None
        return replace(content, name=chance.choice(names), creator=creator, senders=senders, transport=transport, description=description)

    def invent(self) -> Jingle:
        chance, state = self.chance, self.seat.state
        names = ["n1", "n2", f"n{chance.randrange(30)}", "0"]
        if state is not None:
            names += [c.name for c in state.side.own.contents] if state.side.own else []
            names += [c.name for c in state.side.peer.contents] if state.side.peer else []
            names += state.change.adds if state.change else []
        actions = (
            "content-add",
            "content-accept",
            "content-reject",
            "content-modify",
            "content-remove",
            "transport-info",
            "description-info",
        )
        rare = ("session-accept", "session-info", "transport-replace", "transport-accept", "security-info", "session-initiate")
        action = chance.choice(rare) if chance.random() < 0.1 else chance.choice(actions)
        contents = tuple(self.content(names) for _ in range(chance.choice((0, 1, 1, 1, 2, 16))))
        if action == "content-remove" and chance.random() < 0.8:
            contents = contents[:1]
        unknown = ()
        if self.kind == "bridge" and chance.random() < 0.8 and state is not None:
            number = chance.choice((state.changes, state.change.number if state.change else 1, 7))
            unknown = (
                NEGOTIATION.build(Negotiation(chance.choice(("offer", "answer", "refusal")), number, chance.choice((0, 0, 1, 2, 60)))),
            )
        return Jingle(action, self.sid, contents=contents, unknown=unknown, reason=chance.choice((None, Reason("success"))))

    def replies(self) -> None:
        """To the next stanza of the engine."""
        chance, what = self.chance, self.seat.to_peer.popleft()
        if not isinstance(what, fx.SendJingle):
            return
        conditions = (None, None, None, "feature-not-implemented", "timeout", "item-not-found", "conflict", "offline")
        condition = chance.choice(conditions)
        answer = ev.Answered(what.jingle.action, condition, "tie-break" if condition == "conflict" else None, what.change)
        if chance.random() < 0.9:
            self.seat.answered(answer, what.jingle.sid)
        if condition is None and what.jingle.action in ("content-add", "transport-info", "content-modify") and chance.random() < 0.5:
            action = {"content-add": "content-accept", "content-modify": "session-accept"}.get(what.jingle.action, "transport-info")
            contents = what.jingle.contents
            if action == "session-accept":
                contents = self.side.own.contents if self.side.own else ()
            unknown = ()
            if self.kind == "bridge" and (mark := mark_of(what.jingle)) is not None:
                unknown = (NEGOTIATION.build(replace(mark, type="answer")),)
            self.seat.hears(Jingle(action, self.sid, contents=contents, unknown=unknown))

    def run(self, steps: int = 60) -> None:
        seat = self.seat
        for _ in range(steps):
            if seat.ended:
                break
            roll = self.chance.random()
            if roll < 0.3:
                seat.hears(self.invent())
            elif roll < 0.6:
                if seat.to_peer:
                    self.replies()
            elif roll < 0.75:
                if seat.to_page:
                    seat.page_hears()
            elif roll < 0.95:
                seat.page_says()
            else:
                seat.lose_patience()
        for _ in range(400):
            while seat.to_page:
                seat.page_hears()
            if "change" not in seat.timers:
                break
            seat.fire("change")
        else:
            raise AssertionError("timers for ever")
        seat.quiet()
        if not seat.ended:
            seat.does(ev.HungUp(seat.call))
        assert seat.ended and not seat.registry.calls and not seat.timers
