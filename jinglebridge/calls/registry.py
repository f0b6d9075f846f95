"""Which call is meant: the one place that knows all calls, and the engine's only door.

A session is known by (our full JID, peer full JID, sid) (J-075). Since a person's other devices may answer a ringing call,
the table is keyed by bare JIDs and sid, and the full JIDs are compared once the call has them. Everything here is O(1) in
the number of calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jinglebridge.calls import call, negotiation, owed, ringing
from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls.admission import Admission
from jinglebridge.calls.ending import end, over, refuse
from jinglebridge.calls.model import CallState, Endpoint, PeerInfo, Timers, bare
from jinglebridge.calls.offers import complete, usable
from jinglebridge.calls.reasons import EndReason
from jinglebridge.calls.states import Ringing, Session, step
from jinglebridge.calls.timeline import Timeline
from jinglebridge.calls.turn import Turn
from jinglebridge.errors import EndpointError, OutOfOrder, ProtocolError, ResourceConstraint, ServiceUnavailable, TieBreak, UnknownSession
from jinglebridge.jingle import Propose, Reason, Reject
from jinglebridge.translate.session import Described, media_of

Effects = list[fx.Effect]
MAX_OWING = 10_000  # ended calls whose peer may not know
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
        self._peers = peers
        self._new_id = new_id
        self._of_endpoint: dict[str, dict[str, fx.CallKey]] = {}  # full JID -> call id -> key
        # Sets as dicts: their order is that of the calls, so that a replayed trace gives the same effects.
        self._of_peer: dict[str, dict[fx.CallKey, None]] = {}  # bare JID
        self._of_person: dict[str, dict[fx.CallKey, None]] = {}  # own bare JID
        self._seen_by: dict[fx.CallKey, list[str]] = {}  # full JIDs of the endpoints that see the call now
        self._ended: dict[fx.CallKey, float] = {}  # key -> when it may be forgotten
        self._ended_ids: dict[tuple[str, str], float] = {}
        self.owing: dict[fx.CallKey, CallState] = {}  # ended calls whose peer may not know
        self._changed: dict[fx.CallKey, CallState] = {}  # since `take_changed`

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
        if owed.repeated(self.calls[key], event, jid):
            return []
        return self._handle(key, event, now, jid)

    def _place(self, jid: str, event: ev.Placed, now: float) -> Effects:
        own, to = bare(jid), bare(event.to)
        endpoint = self.endpoints.get(own, {}).get(jid)
        if endpoint is None:
            raise EndpointError("not-authorized", "this session is over")
        if event.call in self._of_endpoint.get(jid, {}) or (jid, event.call) in self._ended_ids:
            raise EndpointError("duplicate-call", "this call id was used before")
        media = negotiation.proposed_media(event.sdp)
        self.admission.outgoing(endpoint, to, len(self._of_person.get(own, ())), now)
        peer = self._peers(own, to)
        state = CallState(event.call, self._new_id(), "out", jid, to, peer.name, list(media), now)
        turn = self._add(state, peer, [jid], now)
        self.timeline.came(turn, event)
        ringing.place(turn, event)
        return self._done(turn)

    # --- peers

    def from_peer_message(self, event: ev.JmiReceived, now: float) -> Effects:
        """A JMI message. What is illegal, late or not allowed is silence: a message gets no error."""
        if isinstance(event.jmi, Propose):
            return self._proposed(event, event.jmi, now)
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

    def _proposed(self, event: ev.JmiReceived, propose: Propose, now: float) -> Effects:
        own, peer = bare(event.to), bare(event.sender)
        key = (own, peer, propose.id)
        online = self.endpoints.get(own, {})
        if key in self.calls or key in self._ended or not propose.media or not self._may_ring(own, peer, online, now):
            return []
        info = self._peers(own, peer)
        if event.age > self.timers.ring or not online:
            self._ended[key] = now + self.timers.remember  # missed once, however often it is sent
            return [fx.TellMissed(own, peer, info.name, propose.media, now - event.age)]
        effects, lost = self._propose_glare(own, event.sender, propose.id, now)
        if lost:
            return effects
        state = CallState(self._new_id(), propose.id, "in", own, peer, info.name, list(propose.media), now)
        turn = self._add(state, info, list(online), now)
        self.timeline.came(turn, event)
        ringing.propose_received(turn, event, tuple(online))
        return effects + self._done(turn)

    def _may_ring(self, own: str, peer: str, online: dict[str, Endpoint], now: float) -> bool:
        if own == peer:
            return False  # another page of the same person: the two sides of the call would be one key
        contacts = frozenset[str]().union(*(e.contacts for e in online.values())) if online else frozenset[str]()
        waiting = sum(1 for key in self._of_person.get(own, ()) if self.calls[key].joint == "incoming")
        try:
            return self.admission.incoming(peer, contacts, waiting, now)
        except ResourceConstraint:
            return False

    def _propose_glare(self, own: str, sender: str, proposed: str, now: float) -> tuple[Effects, bool]:
        """Both call each other: (effects on the losing attempt, whether it is the peer's). The lower id wins. J-067."""
        ours = [s for key in self._of_peer.get(bare(sender), ()) if key[0] == own and ringing.crosses(s := self.calls[key])]
        winner = next((s for s in ours if s.sid.encode() < proposed.encode()), None)
        if winner is not None:
            return [fx.SendJmi(winner.own, sender, Reject(proposed, Reason("expired"), tie_break=True))], True
        effects: Effects = []
        for state in ours:
            turn = self._turn(state, now)
            ringing.yield_call(turn)
            effects += self._done(turn)
        return effects, False

    def from_peer(self, event: ev.JingleReceived, now: float) -> Effects:
        """A Jingle IQ set. Raises ProtocolError: its stanza error is the answer, else the IQ is acked."""
        jingle = event.jingle
        key = (bare(event.to), bare(event.sender), jingle.sid)
        state = self.calls.get(key)
        begins = state is None and jingle.action == "session-initiate" and key not in self._ended
        if not begins and (state is None or state.own != event.to or state.peer != event.sender):
            raise UnknownSession("no such session")
        if len(event.xml) > MAX_XML:
            raise ResourceConstraint("a Jingle action of this size is not carried")
        if begins:
            return self._initiated(event, now)
        return self._handle(key, event, now)

    def _initiated(self, event: ev.JingleReceived, now: float) -> Effects:
        """A call without JMI, straight to one of our full JIDs. J-043: strangers see service-unavailable, always the same."""
        own, peer = bare(event.to), bare(event.sender)
        endpoint = self.endpoints.get(own, {}).get(event.to)
        if endpoint is None or not self._may_ring(own, peer, {event.to: endpoint}, now):
            raise ServiceUnavailable("not available")
        complete(event.jingle)
        losing = self._losing_to(event)
        info = self._peers(own, peer)
        media = media_of(Described(usable(event.jingle, info.kind(event.sender)), event.jingle.groups))
        state = CallState(self._new_id(), event.jingle.sid, "in", event.to, event.sender, info.name, list(media), now)
        state.session = step(Session.IDLE, state.peer_role, "session-initiate")
        turn = self._turn(state, now, info)
        refused = negotiation.refusal_of_offer(turn, event)
        # From here on nothing raises, so no table holds a call that nobody knows of.
        effects: Effects = []
        for ours in losing:
            lost = self._turn(ours, now)
            over(lost, "moved", "you were calling each other: the other call rings now")
            effects += self._done(lost)
        self._enter(turn, [event.to])
        self.timeline.came(turn, event)
        if refused is not None:
            refuse(turn, refused)  # nobody has heard of it yet
        else:
            ringing.initiate_rings(turn)
        return effects + self._done(turn)

    def _losing_to(self, event: ev.JingleReceived) -> list[CallState]:
        """Our side of crossing session-initiates of the same two full JIDs: the lower sid wins. Raises TieBreak if ours does. J-098."""
        ours = [
            state
            for key in self._of_peer.get(bare(event.sender), ())
            if (state := self.calls[key]).own == event.to and state.peer == event.sender
            if state.direction == "out" and state.session is Session.PENDING and not state.jmi
        ]
        if any(state.sid.encode() < event.jingle.sid.encode() for state in ours):
            raise TieBreak("the session with the lower sid goes on")
        return ours

    def peer_presence(self, peer: str, available: bool, now: float) -> Effects:
        """The full JID `peer` came or went."""
        effects: Effects = []
        for key in list(self._of_peer.get(bare(peer), ())):
            if self.calls[key].peer == peer:
                effects += self._handle(key, ev.PeerPresence(available), now)
        if available:
            for state in [s for s in self.owing.values() if s.undelivered and s.peer == peer]:
                state.undelivered = False
                effects += owed.again(state)
        return effects

    # --- replies and timers

    def handle(self, key: fx.CallKey, event: ev.Answered | ev.Bounced | ev.TimerFired, now: float) -> Effects:
        """What comes back for an effect. For a call that is over: nothing."""
        return self._handle(key, event, now) if key in self.calls else []

    def end(self, key: fx.CallKey, now: float, reason: EndReason) -> Effects:
        """End one call from our side, as an operator may."""
        turn = self._turn(self.calls[key], now)
        end(turn, reason)
        return self._done(turn)

    def sweep(self, now: float) -> None:
        """Forget what nobody asks for any more; call it now and then. J-254."""
        self.admission.sweep(now)
        self.timeline.sweep(now)
        self._ended = {k: t for k, t in self._ended.items() if t > now}
        self._ended_ids = {k: t for k, t in self._ended_ids.items() if t > now}
        for key, state in list(self.owing.items()):
            if now - max(state.created, state.heard_at) > self.timers.owed:
                self._changed[key] = self.owing.pop(key)
                state.unacked = []

    def calls_of(self, jid: str) -> Iterable[CallState]:
        """The live calls that a web session (full JID) sees."""
        return [self.calls[key] for key in self._of_endpoint.get(jid, {}).values()]

    # --- what outlives a connection or a process

    def take_changed(self) -> dict[fx.CallKey, CallState]:
        """The calls that changed since the last time, ended ones too, for the journal."""
        changed, self._changed = self._changed, {}
        return changed

    def settled(self, key: fx.CallKey, number: int) -> None:
        """The peer answered an action of ours, or a message has left: it is owed no more."""
        state = self.calls.get(key) or self.owing.get(key)
        if state is not None and number:
            owed.settle(state, number)
            self._changed[key] = state
            if state.ended and not state.unacked:
                del self.owing[key]

    def undelivered(self, key: fx.CallKey) -> None:
        """An action of ours came back: it is owed still, and sent again when the peer is there."""
        state = self.calls.get(key) or self.owing.get(key)
        if state is not None:
            state.undelivered = True

    def reconnected(self, now: float) -> Effects:
        """There is a new connection to the server: all that is owed."""
        effects: Effects = [effect for state in self.owing.values() for effect in owed.again(state)]
        for state in list(self.calls.values()):
            turn = self._turn(state, now)
            owed.reconnected(turn)
            effects += self._done(turn)
        return effects

    def restore(self, states: Iterable[CallState], survives: Callable[[str], bool], now: float) -> Effects:
        """Take the calls of the last run up again; `survives`: is this endpoint (full JID) still there, or may it come back?"""
        effects: Effects = []
        for state in states:
            turn = self._turn(state, now)
            if state.ended:
                self.owing[turn.key], self._ended[turn.key] = state, now + self.timers.remember
                effects += [fx.TellEnded(jid, state.call, state.end_reason) for jid in turn.endpoints() if survives(jid)]
                continue
            self._enter(turn, turn.endpoints(), "call-restored")
            lost = [jid for jid in turn.endpoints() if not survives(jid)]
            if not owed.restored(turn):
                end(turn, "failed", "the bridge was restarted while it rang")
            effects += self._done(turn)
            for jid in lost:
                if turn.key in self.calls:
                    effects += self._handle(turn.key, ev.EndpointGone(jid), now)
        return effects

    def zombies(self, now: float) -> Effects:
        """End calls that nothing would ever end: all their timers are long overdue, or they have none. J-254."""
        effects: Effects = []
        for state in list(self.calls.values()):
            if now - max(state.deadlines.values(), default=state.created) > self.timers.remember:
                effects += self.end(self._turn(state, now).key, now, "gone")
        return effects

    # --- one turn

    def _turn(self, state: CallState, now: float, info: PeerInfo | None = None) -> Turn:
        return Turn(state, now, self.timers, info or self._peers(bare(state.own), bare(state.peer)))

    def _handle(self, key: fx.CallKey, event: ev.CallEvent, now: float, endpoint: str = "") -> Effects:
        turn = self._turn(self.calls[key], now)
        if isinstance(event, ev.TimerFired):
            turn.state.deadlines.pop(event.name, None)
        self.timeline.came(turn, event)
        try:
            call.handle(turn, event, endpoint)
        except ProtocolError as error:
            self.timeline.refused(turn, event, error)
            raise
        if isinstance(event, ev.Described) or (isinstance(event, ev.Reported) and event.state == "connected"):
            owed.page_has_it(turn.state, connected=isinstance(event, ev.Reported))
        return self._done(turn)

    def _add(self, state: CallState, info: PeerInfo, endpoints: list[str], now: float) -> Turn:
        turn = self._turn(state, now, info)
        self._enter(turn, endpoints)
        return turn

    def _enter(self, turn: Turn, endpoints: list[str], note: str = "call-started") -> None:
        """Put a new call into the tables."""
        key, state = turn.key, turn.state
        self.calls[key] = state
        for jid in endpoints:
            self._of_endpoint.setdefault(jid, {})[state.call] = key
        self._seen_by[key] = endpoints
        self._of_peer.setdefault(key[1], {})[key] = None
        self._of_person.setdefault(key[0], {})[key] = None
        turn.note(note, state.direction)

    def _done(self, turn: Turn) -> Effects:
        """Forget an ended call; keep its key for a while so that replays are told alike. J-093."""
        self.timeline.left(turn)
        key, until = turn.key, turn.now + self.timers.remember
        self._changed[key] = turn.state
        owed.remember_told(turn.state, turn.effects)
        seeing = [] if turn.state.ended else turn.endpoints()
        for jid in self._seen_by[key]:
            if jid not in seeing:  # ended, or accepted elsewhere
                self._ended_ids[jid, turn.state.call] = until
                calls = self._of_endpoint.get(jid, {})
                calls.pop(turn.state.call, None)
                if not calls:
                    self._of_endpoint.pop(jid, None)
        self._seen_by[key] = seeing
        if turn.state.ended:
            if len(self.owing) >= MAX_OWING:
                turn.state.unacked = []
            if turn.state.unacked:
                self.owing[key] = turn.state
            self.timeline.over(turn)
            del self.calls[key], self._seen_by[key]
            self._ended[key] = until
            for index, name in ((self._of_peer, key[1]), (self._of_person, key[0])):
                del index[name][key]
                if not index[name]:
                    del index[name]
        return turn.effects
