"""Two engines back to back: what one sends is what the other gets, in order but late. No tests here.

Juliet and Romeo are web users of two bridges, with two pages each. A schedule picks at random, from a seed, what happens next: a stanza
arrives, a person does something, a page closes, time passes. The pages behave as the real one does.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls.admission import Admission, Policy
from jinglebridge.calls.model import JMI, Endpoint, Limits, PeerInfo, PeerResource, Timers, bare
from jinglebridge.calls.registry import Registry
from jinglebridge.calls.states import Session
from jinglebridge.errors import EndpointError, ProtocolError
from jinglebridge.jingle import Jingle
from tests.unit.calls.world import DEVICE, wired
from tests.unit.cases import small

AUDIO_OFFER = small()
AUDIO_ANSWER = AUDIO_OFFER.replace("actpass", "active")
CANDIDATE = {"candidate": "candidate:1 1 udp 2122194687 192.0.2.2 49376 typ host", "sdpMid": "0", "sdpMLineIndex": 0}
SIDES = {"juliet": "one.example.org", "romeo": "two.example.net"}
MANY = 10**6

# How a call may be called by the side that did not end it: first the word of the side that did. M-9.
AGREE = {
    "ended": {"ended"},
    "cancelled": {"cancelled"},
    "no-answer": {"no-answer", "cancelled"},  # a caller who is not answered retracts
    "declined": {"declined", "busy"},  # a reject says busy, whatever the person meant: J-062
    "busy": {"busy"},
    "moved": {"moved", "cancelled"},
    "failed-ice": {"failed-ice", "cancelled", "declined"},  # before there is a session there are only a retract and a reject
    "gone": {"gone", "failed-ice", "declined"},  # a finish says connectivity-error, a reject of no session is a no
    "unreachable": {"unreachable", "failed-ice", "gone"},
}


@dataclass
class PageCall:
    """What a page knows of a call."""

    accepted: bool = False
    offered: bool = False  # the peer's offer waits for an answer
    replaces: str = ""
    placed: bool = False


@dataclass
class Page:
    jid: str
    calls: dict[str, PageCall] = field(default_factory=dict)
    was: set[str] = field(default_factory=set)


class Side:
    """One person, their bridge and their pages."""

    def __init__(self, name: str, other: str, domains: dict[str, str], new_id: Callable[[], str]) -> None:
        self.jid = f"{name}@{domains[name]}"
        self.peer_jid = f"{other}@{domains[other]}"
        self.resources: tuple[PeerResource, ...] = ()  # of the other person
        limits = Limits(MANY, 3, MANY, MANY)
        policy = Policy(domains[name], frozenset({domains[other]}))
        self.registry = Registry(Admission(policy, limits), lambda own, peer: PeerInfo(peer, self.resources), new_id, Timers())
        self.pages: dict[str, Page] = {}
        self.timers: dict[tuple[fx.CallKey, str], float] = {}
        self.out: deque[tuple[str, Any]] = deque()  # what travels to the other side
        self.ends: dict[str, tuple[str, str]] = {}  # sid -> (reason, whether "own" or "peer" ended it)

    def open(self, number: int) -> None:
        page = f"{self.jid}/p{number}"
        if page not in self.pages:
            self.pages[page] = Page(page)
            self.registry.online(Endpoint(page, anyone=True))
            self.out.append(("presence", (page, True)))


class Two:
    """One schedule. `how`: whether the devices know JMI ("jmi"), do not ("plain"), or look offline ("asleep")."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 1000.0
        self.ids = 0
        self.how = self.random.choice(("jmi", "jmi", "asleep", "plain"))
        names = list(SIDES)
        self.sides = [Side(a, b, SIDES, self.new_id) for a, b in (names, names[::-1])]
        self.pages_each = self.random.choice((1, 2))
        self.heard = ""  # sid of the stanza that just arrived
        self.placed = 0
        self.peak = 0
        for side in self.sides:
            for number in range(self.pages_each):
                side.open(number)
        self.drain()

    def new_id(self) -> str:
        self.ids += 1
        return f"{self.random.choice('amz')}{self.ids}"

    def other(self, side: Side) -> Side:
        return self.sides[1 - self.sides.index(side)]

    # --- effects

    def take(self, side: Side, effects: list[fx.Effect]) -> None:
        for effect in effects:
            match effect:
                case fx.SendJmi() | fx.SendJingle():
                    side.out.append(("stanza", effect))
                case fx.StartTimer(key, name, seconds):
                    assert key in side.registry.calls, "a timer of a call that is over"
                    side.timers[key, name] = self.now + seconds
                case fx.StopTimers(key):
                    side.timers = {k: t for k, t in side.timers.items() if k[0] != key}
                case fx.Note(event="call-ended" | "branch-ended", sid=sid, detail=reason):
                    assert sid not in side.ends, "a call ends once"
                    side.ends[sid] = reason, "peer" if sid == self.heard else "own"
                case fx.TellIncoming(page, call):
                    assert call not in side.pages[page].was
                    side.pages[page].was.add(call)
                    side.pages[page].calls[call] = PageCall(replaces=effect.replaces)
                case fx.TellEnded(page, call):
                    if page in side.pages:
                        del side.pages[page].calls[call]
                case fx.TellDescription(page, call, "offer"):
                    side.pages[page].calls[call].offered = True
                case fx.TellState() | fx.TellDescription() | fx.TellCandidate() | fx.TellInfo():
                    assert effect.call in side.pages[effect.endpoint].calls, "nothing after the end"
                case _:
                    pass
        self.check()

    def check(self) -> None:
        for side in self.sides:
            holders = [call for page in side.pages.values() for call, seen in page.calls.items() if seen.accepted]
            assert len(holders) == len(set(holders)), "one page has the call"
            active = [s for s in side.registry.calls.values() if s.session is Session.ACTIVE]
            self.peak = max(self.peak, len(active))
            assert len(active) <= 1, "at most one call"

    # --- what happens

    def deliver(self, side: Side) -> None:
        """The next stanza that `side` sent reaches the other."""
        kind, what = side.out.popleft()
        to = self.other(side)
        if kind == "presence":
            self.presence(to, *what)
        elif kind == "reply":
            key, event = what
            self.heard = key[2]
            self.take(to, to.registry.handle(key, event, self.now))
        elif isinstance(what, fx.SendJmi):
            self.heard = what.jmi.id
            for _ in range(1 if self.random.random() < 0.95 else 2):  # a message may come twice
                self.take(to, to.registry.from_peer_message(ev.JmiReceived(what.jmi, what.sender, what.to), self.now))
        else:
            self.heard = what.jingle.sid
            self.deliver_iq(to, what)
        self.heard = ""

    def presence(self, to: Side, jid: str, available: bool) -> None:
        features = {"jmi": frozenset(DEVICE | {JMI}), "plain": frozenset(DEVICE), "asleep": None}[self.how]
        rest = tuple(r for r in to.resources if r.jid != jid)
        if self.how != "asleep":
            to.resources = (*rest, PeerResource(jid, features)) if available else rest
        self.take(to, to.registry.peer_presence(jid, available, self.now))

    def deliver_iq(self, to: Side, effect: fx.SendJingle) -> None:
        jingle: Jingle = effect.jingle
        read, text = wired(jingle)
        answer = ev.Answered(jingle.action)
        effects: list[fx.Effect] = []
        try:
            effects = to.registry.from_peer(ev.JingleReceived(read, effect.sender, effect.to, text), self.now)
        except ProtocolError as error:
            answer = ev.Answered(jingle.action, error.condition, error.jingle)
        key = (bare(effect.sender), bare(effect.to), jingle.sid)
        to.out.append(("reply", (key, answer)))  # ack first: J-077
        self.take(to, effects)

    def act(self, side: Side, page: Page, event: ev.EndpointEvent) -> None:
        try:
            effects = side.registry.from_endpoint(page.jid, event, self.now)
        except EndpointError:
            return  # the page has not heard yet that it is too late
        self.take(side, effects)

    def person(self, side: Side) -> None:
        """Somebody does something at a page."""
        if not side.pages:
            return
        page = self.random.choice(list(side.pages.values()))
        roll = self.random.random()
        if roll < 0.02:
            self.close(side, page)
        elif not page.calls:
            if not side.registry.calls and roll < 0.5:
                self.place(side, page)
        else:
            call, seen = self.random.choice(list(page.calls.items()))
            self.in_call(side, page, call, seen, roll)

    def place(self, side: Side, page: Page) -> None:
        self.placed += 1
        call = f"c{self.placed}"
        page.calls[call] = PageCall(accepted=True, placed=True)
        page.was.add(call)
        self.act(side, page, ev.Placed(call, side.peer_jid, AUDIO_OFFER))

    def in_call(self, side: Side, page: Page, call: str, seen: PageCall, roll: float) -> None:
        if not seen.accepted:
            # A person has one mouth, though devices without JMI know nothing of each other.
            talking = any(c.accepted and c is not seen for p in side.pages.values() for c in p.calls.values() if not c.placed)
            if not talking and (roll < 0.75 or seen.replaces):
                seen.accepted = True  # the engine may refuse: then the end is on its way
                self.act(side, page, ev.Accepted(call))
            elif not talking or roll < 0.3:
                self.act(side, page, ev.Rejected(call, self.random.random() < 0.3))
        elif seen.offered:
            seen.offered = False
            self.act(side, page, ev.Described(call, "answer", AUDIO_ANSWER))
        elif roll < 0.2:
            self.act(side, page, ev.HungUp(call, self.random.choice(("ended", "ended", "failed-ice"))))
        elif roll < 0.6:
            self.act(side, page, ev.Gathered(call, CANDIDATE))
        else:
            self.act(side, page, ev.Reported(call, "connected", int(self.now)))

    def close(self, side: Side, page: Page) -> None:
        del side.pages[page.jid]
        self.take(side, side.registry.offline(page.jid, self.now))
        side.out.append(("presence", (page.jid, False)))

    def fire(self) -> None:
        """The next timer of either side. What is under way arrives first, unless the network is very slow."""
        due = [(t, n, k) for n, side in enumerate(self.sides) for k, t in side.timers.items() if k[1] != "alive"]
        if not due:
            return
        at, n, (key, name) = min(due)
        if any(side.out for side in self.sides) and at - self.now > 1.0 and self.random.random() < 0.97:
            return
        side = self.sides[n]
        self.now = max(self.now, at)
        del side.timers[key, name]
        self.take(side, side.registry.handle(key, ev.TimerFired(name), self.now))

    # --- the schedule

    def run(self, events: int = 70) -> None:
        for _ in range(events):
            self.now += self.random.choice((0.0, 0.1, 0.5))
            side = self.random.choice(self.sides)
            roll = self.random.random()
            if roll < 0.5 and side.out:
                self.deliver(side)
            elif roll < 0.93:
                self.person(side)
            elif roll < 0.97:
                self.fire()
            else:
                side.open(self.random.randrange(self.pages_each))
            if self.random.random() < 0.05:
                self.settle()
        self.finish()

    def drain(self) -> None:
        """Everything that is under way arrives."""
        while any(side.out for side in self.sides):
            for side in self.sides:
                while side.out:
                    self.deliver(side)

    def settle(self) -> None:
        """When nothing is under way, both sides have the same call, or none."""
        self.drain()
        up = [{s.sid for s in side.registry.calls.values() if s.session is Session.ACTIVE} for side in self.sides]
        assert up[0] == up[1]

    def finish(self) -> None:
        """All pages hang up, timers run out, nothing is left, and both tell the same of every call."""
        for side in self.sides:
            for page in list(side.pages.values()):
                self.settle()
                self.close(side, page)
        self.drain()
        while any(name != "alive" for side in self.sides for _, name in side.timers):
            self.fire()
            self.drain()
        assert all(not side.registry.calls and not side.timers for side in self.sides)
        for side in self.sides:
            side.registry.sweep(self.now + 61)
            assert not (side.registry._ended or side.registry._ended_ids or side.registry._of_endpoint)
        self.agree()

    def agree(self) -> None:
        one, two = (side.ends for side in self.sides)
        for sid in one.keys() & two.keys():
            (a, cause_a), (b, cause_b) = one[sid], two[sid]
            if cause_a == cause_b == "own":
                continue  # both ended it before they heard of each other
            if cause_a == "own":
                assert b in AGREE[a], (sid, a, b)
            elif cause_b == "own":
                assert a in AGREE[b], (sid, b, a)
            else:
                assert a in AGREE.get(b, ()) or b in AGREE.get(a, ()), (sid, a, b)
