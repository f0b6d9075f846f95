"""Which call is meant: the one place that knows all calls, and the engine's only door.

A session is known by (our full JID, peer full JID, sid) (J-075). Since a person's other devices may answer a ringing call,
the table is keyed by bare JIDs and sid, and the full JIDs are compared once the call has them. A call that rings several
devices by a session each has as many entries (`calls/forks.py`). Everything here is O(1) in the number of calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jinglebridge.calls import call, forks, incoming, negotiation, outliving, owed, ringing
from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls.admission import Admission
from jinglebridge.calls.ending import end
from jinglebridge.calls.model import CallState, Endpoint, PeerInfo, Timers, bare
from jinglebridge.calls.reasons import EndReason
from jinglebridge.calls.states import Ringing, Session
from jinglebridge.calls.timeline import Timeline
from jinglebridge.calls.turn import Turn
from jinglebridge.errors import EndpointError, OutOfOrder, ProtocolError, ResourceConstraint, UnknownSession
from jinglebridge.jingle import Propose

Effects = list[fx.Effect]
MAX_XML = 64 * 1024  # characters of one <jingle/>; J-011
LATE_IS_FINE = (ev.Gathered, ev.HungUp, ev.Reported)


class Registry:
    """All live calls.

    Args:
        admission: who may call whom.
        peers: what is known about (own bare JID, peer bare JID) right now; pure look-up.
        new_id: unguessable ids, for sids and for calls towards the web side.
        timeline: is told everything that happens in a call.
    """

    def __init__(
        self,
        admission: Admission,
        peers: Callable[[str, str], PeerInfo],
        new_id: Callable[[], str],
        timers: Timers | None = None,
        timeline: Timeline | None = None,
    ) -> None:
        self.admission = admission
        self.timers = timers or Timers()
        self.timeline = timeline or Timeline()
        self.calls: dict[fx.CallKey, CallState] = {}
        self.endpoints: dict[str, dict[str, Endpoint]] = {}  # bare JID -> full JID -> who
        self.peer_info = peers
        self.met: Callable[[str, str], bool] = lambda own, peer: False  # is `peer` a contact of `own`, also while no page is open?
        self.new_id = new_id
        self._of_endpoint: dict[str, dict[str, fx.CallKey]] = {}  # full JID -> call id -> key
        # Sets as dicts: their order is that of the calls, so that a replayed trace gives the same effects.
        self._of_peer: dict[str, dict[fx.CallKey, None]] = {}  # bare JID
        self._of_person: dict[str, dict[fx.CallKey, None]] = {}  # own bare JID
        self._seen_by: dict[fx.CallKey, list[str]] = {}  # full JIDs of the endpoints that see the call now
        self._ended: dict[fx.CallKey, float] = {}  # key -> when it may be forgotten
        self._ended_ids: dict[tuple[str, str], float] = {}
        self.owing: dict[fx.CallKey, CallState] = {}  # ended calls whose peer may not know
        self.changed: dict[fx.CallKey, CallState] = {}  # since `take_changed`

    # --- web endpoints

    def online(self, endpoint: Endpoint) -> None:
        """A web session is there, or what it may do has changed."""
        self.endpoints.setdefault(bare(endpoint.jid), {})[endpoint.jid] = endpoint

    def offline(self, jid: str, now: float) -> Effects:
        """A web session is over for good."""
        people = self.endpoints.get(bare(jid), {})
        people.pop(jid, None)
        if not people:
            self.endpoints.pop(bare(jid), None)
        effects: Effects = []
        for key in list(self._of_endpoint.pop(jid, {}).values()):
            effects += self._handle(key, ev.EndpointGone(jid), now)
        return effects

    def from_endpoint(self, jid: str, event: ev.EndpointEvent, now: float) -> Effects:
        """A request of a web session. Raises ProtocolError (EndpointError, Refused)."""
        if isinstance(event, ev.Placed):
            return self._place(jid, event, now)
        key = self._of_endpoint.get(jid, {}).get(event.call)
        if key is None:
            if isinstance(event, LATE_IS_FINE) and (jid, event.call) in self._ended_ids:
                return []
            raise EndpointError("unknown-call", "there is no such call")
        state = self.calls[key]
        if state.restored and owed.repeated(state, event, jid):
            return []
        effects = self._handle(key, event, now, jid)
        if isinstance(event, ev.Gathered):
            for branch in self._branches(state) if state.fork else ():
                effects += self._handle(branch.key, event, now, jid)
        elif isinstance(event, ev.Accepted):
            effects += self._crossing_gives_way(key, now)
        return effects

    def _crossing_gives_way(self, key: fx.CallKey, now: float) -> Effects:
        """The person took a peer's call while theirs to that peer still rings: one of them is enough."""
        effects: Effects = []
        for ours in self.unanswered(key[0], key[1]):
            if ours.ended:
                continue  # a branch that went with another
            turn = self.turn(ours, now)
            ringing.yield_call(turn)
            effects += self.done(turn)
        return effects

    def _place(self, jid: str, event: ev.Placed, now: float) -> Effects:
        own, to = bare(jid), bare(event.to)
        endpoint = self.endpoints.get(own, {}).get(jid)
        if endpoint is None:
            raise EndpointError("not-authorized", "this session is over")
        if event.call in self._of_endpoint.get(jid, {}) or (jid, event.call) in self._ended_ids:
            raise EndpointError("duplicate-call", "this call id was used before")
        offer = negotiation.proposed(event.sdp)
        media = offer.media
        running = len({self.calls[key].call for key in self._of_person.get(own, ())})  # however many branches each has
        self.admission.outgoing(endpoint, to, running, now)
        peer = self.peer_info(own, to)
        by_message = bool(media) and peer.uses_jmi()  # a propose names media; data alone has none
        devices = [] if by_message else peer.able(media)[: forks.MAX_BRANCHES]
        sids = {self.new_id(): device for device in devices or [to]}
        effects = self._cannot_go_on(jid, to, media, now)
        first = True
        for sid, device in sids.items():
            state = CallState(event.call, sid, "out", jid, device, peer.name, list(media), now, fork=[s for s in sids if s != sid])
            state.unheard, state.descriptions.offer = event.unheard, offer
            turn = self.add(state, [jid], now)
            turn.branch, first = not first, False
            if not turn.branch:
                self.timeline.came(turn, event)
            ringing.place(turn, event)
            effects += self.done(turn)
        return effects

    def _cannot_go_on(self, jid: str, to: str, media: Iterable[str], now: float) -> Effects:
        """The page was loaded anew and calls the same person, whose client waits for that: it takes it only with the same media."""
        effects: Effects = []
        for state in self.calls_of(jid):
            if "back" in state.deadlines and bare(state.peer) == to and sorted(state.media) != sorted(media):
                effects += self.end(state.key, now, "gone")
        return effects

    # --- peers

    def from_peer_message(self, event: ev.JmiReceived, now: float) -> Effects:
        """A JMI message. What is illegal, late or not allowed is silence: a message gets no error."""
        if isinstance(event.jmi, Propose):
            return incoming.proposed(self, event, event.jmi, now)
        key = (bare(event.to), bare(event.sender), event.jmi.id)
        state = self.calls.get(key)
        if state is None:
            return []
        if (state.ringing is Ringing.PROCEEDED or state.session is not Session.IDLE) and event.sender != state.peer:
            return []  # a decision of another device came too late (J-063)
        try:
            return self._handle(key, event, now)
        except OutOfOrder as error:
            return [fx.Note("jmi-out-of-order", state.call, state.sid, str(error))]

    def from_peer(self, event: ev.JingleReceived, now: float) -> Effects:
        """A Jingle IQ set. Raises ProtocolError: its stanza error is the answer, else the IQ is acked."""
        jingle = event.jingle
        key = (bare(event.to), bare(event.sender), jingle.sid)
        state = self.calls.get(key)
        begins = state is None and jingle.action == "session-initiate" and key not in self._ended
        if state is None and self._ends(key, event):
            return []
        if not begins and (state is None or state.own != event.to or state.peer != event.sender):
            raise UnknownSession("no such session")
        if len(event.xml) > MAX_XML:
            raise ResourceConstraint("a Jingle action of this size is not carried")
        if begins:
            return incoming.initiated(self, event, now)
        return self._handle(key, event, now)

    def _ends(self, key: fx.CallKey, event: ev.JingleReceived) -> bool:
        """Is our session-terminate on its way? What crosses it is acked: an error that came first would be Conversations' end (J-096)."""
        state = self.owing.get(key)
        return state is not None and (state.own, state.peer) == (event.to, event.sender) and event.jingle.action != "session-initiate"

    def peer_presence(self, peer: str, available: bool, now: float) -> Effects:
        """The full JID `peer` came or went."""
        effects: Effects = []
        for key in list(self._of_peer.get(bare(peer), ())):
            if self.calls[key].peer == peer:
                effects += self._handle(key, ev.PeerPresence(available), now)
        if available:
            effects += outliving.appeared(self, peer)
        return effects

    # --- replies and timers

    def handle(self, key: fx.CallKey, event: ev.Answered | ev.Bounced | ev.TimerFired | ev.EndpointGone, now: float) -> Effects:
        """What comes back for an effect. For a call that is over: nothing."""
        return self._handle(key, event, now) if key in self.calls else []

    def end(self, key: fx.CallKey, now: float, reason: EndReason) -> Effects:
        """End one call from our side, as an operator may. One that is over already: nothing."""
        state = self.calls.get(key)
        if state is None:
            return []
        turn = self.turn(state, now)
        end(turn, reason)
        return self.done(turn)

    def sweep(self, now: float) -> None:
        """Forget what nobody asks for any more; call it now and then. J-254."""
        self.admission.sweep(now)
        self.timeline.sweep(now)
        self._ended = {k: t for k, t in self._ended.items() if t > now}
        self._ended_ids = {k: t for k, t in self._ended_ids.items() if t > now}
        outliving.sweep(self, now)

    def calls_of(self, jid: str) -> Iterable[CallState]:
        """The live calls that a web session (full JID) sees."""
        return [self.calls[key] for key in self._of_endpoint.get(jid, {}).values()]

    # --- what outlives a connection or a process: `outliving`

    def take_changed(self) -> dict[fx.CallKey, CallState]:
        """The calls that changed since the last time, ended ones too, for the journal."""
        changed, self.changed = self.changed, {}
        return changed

    def settled(self, key: fx.CallKey, number: int) -> None:
        """The peer answered an action of ours, or a message has left: it is owed no more."""
        outliving.settled(self, key, number)

    def acknowledged(self, key: fx.CallKey, number: int, now: float) -> bool:
        """`settled` and `handle` at once for the result of a candidate of ours, when that is all. False: nothing was done."""
        return outliving.acknowledged(self, key, number, now)

    def undelivered(self, key: fx.CallKey) -> None:
        """An action of ours came back: it is owed still, and sent again when the peer is there."""
        outliving.undelivered(self, key)

    def reconnected(self, now: float) -> Effects:
        """There is a new connection to the server: all that is owed."""
        return outliving.reconnected(self, now)

    def restore(self, states: Iterable[CallState], survives: Callable[[str], bool], now: float) -> Effects:
        """Take the calls of the last run up again; `survives`: is this endpoint (full JID) still there, or may it come back?"""
        return outliving.restore(self, states, survives, now)

    def zombies(self, now: float) -> Effects:
        """End calls that nothing would ever end. J-254."""
        return outliving.zombies(self, now)

    # --- what calls there are

    def knows(self, key: fx.CallKey) -> bool:
        """A call of now or of the last minute."""
        return key in self.calls or key in self._ended

    def remember(self, key: fx.CallKey, now: float) -> None:
        """Treat this attempt as one that has ended."""
        self._ended[key] = now + self.timers.remember

    def between(self, own: str, peer: str) -> list[CallState]:
        """Live calls of two people, by their bare JIDs."""
        return [self.calls[key] for key in self._of_peer.get(peer, ()) if key[0] == own]

    def unanswered(self, own: str, peer: str) -> list[CallState]:
        """Our calls to this peer that nobody has taken yet. J-067, J-098."""
        return [state for state in self.between(own, peer) if ringing.unanswered(state)]

    def ringing_for(self, own: str) -> int:
        """How many calls ring at this person's pages."""
        return sum(self.calls[key].joint == "incoming" for key in self._of_person.get(own, ()))

    def _branches(self, state: CallState) -> list[CallState]:
        """The other branches of this call."""
        keys = [(bare(state.own), bare(state.peer), sid) for sid in state.fork]
        return [self.calls[key] for key in keys if key in self.calls]

    # --- one turn

    def turn(self, state: CallState, now: float) -> Turn:
        return Turn(state, now, self.timers, self.peer_info)

    def _handle(self, key: fx.CallKey, event: ev.CallEvent, now: float, endpoint: str = "") -> Effects:
        state = self.calls[key]
        turn = self.turn(state, now)
        if state.fork:
            turn.branch = bool(self._branches(state)) and not forks.decides(event)
        if type(event) is ev.TimerFired:
            state.deadlines.pop(event.name, None)
        self.timeline.came(turn, event)
        try:
            call.handle(turn, event, endpoint)
        except ProtocolError as error:
            self.timeline.refused(turn, event, error)
            raise
        if type(event) is ev.Described:
            owed.page_has_it(state, connected=False)
        elif type(event) is ev.Reported and event.state == "connected":
            owed.page_has_it(state, connected=True)
        return self.done(turn)

    def _drop_branches(self, state: CallState, now: float) -> Effects:
        """This branch has the call, or ended it for all: the other devices stop ringing."""
        effects: Effects = []
        for other in self._branches(state):
            turn = self.turn(other, now)
            turn.branch = True
            end(turn, "cancelled")
            effects += self.done(turn)
        state.fork = []
        self.timeline.goes_on(state)
        return effects

    def add(self, state: CallState, endpoints: list[str], now: float) -> Turn:
        turn = self.turn(state, now)
        self.enter(turn, endpoints)
        return turn

    def enter(self, turn: Turn, endpoints: list[str], note: str = "") -> None:
        """Put a new call, or a branch of one, into the tables."""
        key, state = turn.key, turn.state
        first = True
        for jid in endpoints:
            first = self._of_endpoint.setdefault(jid, {}).setdefault(state.call, key) == key
        self.calls[key] = state
        self._seen_by[key] = endpoints
        self._of_peer.setdefault(key[1], {})[key] = None
        self._of_person.setdefault(key[0], {})[key] = None
        turn.note(note or ("call-started" if first else "branch-started"), state.direction)

    def done(self, turn: Turn) -> Effects:
        """Forget an ended call; keep its key for a while so that replays are told alike. J-093."""
        self.timeline.left(turn)
        key, state, until = turn.key, turn.state, turn.now + self.timers.remember
        self.changed[key] = state
        if state.session is Session.ACTIVE and not state.answered:
            state.answered = turn.now
        if turn.effects:
            owed.remember_told(state, turn.effects)
        settled = state.fork and not turn.branch and state.session is not Session.PENDING
        others = self._drop_branches(state, turn.now) if settled else []
        ended = state.ended
        seeing = [] if ended else turn.endpoints()
        if not ended and seeing == self._seen_by[key]:  # as after most turns
            return turn.effects + others if others else turn.effects
        branches = self._branches(state) if ended else []
        for jid in self._seen_by[key]:
            if jid not in seeing:  # ended, or accepted elsewhere
                self._unseen(jid, state.call, branches[0] if branches else None, until)
        self._seen_by[key] = seeing
        if ended:
            outliving.ended(self, key, state)
            for other in branches:
                other.fork.remove(state.sid)
            if branches:
                self.timeline.goes_on(branches[0])
            else:
                self.timeline.over(turn)
            del self.calls[key], self._seen_by[key]
            self._ended[key] = until
            for index, name in ((self._of_peer, key[1]), (self._of_person, key[0])):
                del index[name][key]
                if not index[name]:
                    del index[name]
        return turn.effects + others

    def _unseen(self, jid: str, name: str, branch: CallState | None, until: float) -> None:
        """A page sees this call no more, or by another branch of it."""
        calls = self._of_endpoint.get(jid, {})
        if branch is not None:
            if name in calls:  # the page itself may be gone
                calls[name] = branch.key
            return
        self._ended_ids[jid, name] = until
        calls.pop(name, None)
        if not calls:
            self._of_endpoint.pop(jid, None)
