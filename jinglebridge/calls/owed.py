"""What is still owed to the two sides of a call: after a loss of the connection, after a restart, after a long silence.

Nothing is queued while offline. A call remembers which of its own actions the peer has not acknowledged (`unacked`), and what
is owed at the next connect is derived from that and from its state:

* of a call that has ended: its session-terminate, and the retract, reject or finish that did not leave;
* of one that goes on: its descriptions and candidates without acknowledgement, then an empty session-info, to which
  `unknown-session` is the end. Silence proves nothing: then what the page reports of its media decides.

A session-initiate without acknowledgement is never just sent again, since the peer may have it: the empty session-info goes first.
Mute, hold and the ringing are not owed: they are worth nothing late.

Spec: DESIGN §4 (nothing is queued), §5 (reliability); J-097, J-100.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinglebridge import sdp
from jinglebridge.calls import effects as fx
from jinglebridge.calls.events import Accepted, Described
from jinglebridge.calls.states import Session, Signalling
from jinglebridge.jingle import Finish, Jingle, Jmi, Reason, Reject, Retract, jingle_text, jmi_text, parse_jingle, parse_jmi
from jinglebridge.values import maker
from jinglebridge.xml import parse_text

if TYPE_CHECKING:
    from jinglebridge.calls.model import CallState
    from jinglebridge.calls.reasons import EndReason
    from jinglebridge.calls.turn import Turn

LAST_WORDS = frozenset({"session-terminate", "Retract", "Reject", "Finish"})  # all that an ended call may still owe
LIVE = (Session.PENDING, Session.ACTIVE)
MAX_UNACKED = 300  # a peer that acknowledges nothing must not make a call grow
MAX_TOLD = 200
INITIATE_SOON = 4.0  # seconds after a restart: the peer's session-initiate may have been lost with the process
ACCEPT_SOON = 10.0  # the same for its session-accept, when its person had accepted before
MAX_SILENCE = 150.0  # seconds without a sign of life of either side, longer than any page has to come back

_send = maker(fx.SendJingle)


# --- what leaves, and what has arrived


def action(state: CallState, jingle: Jingle, change: int = 0, text: str = "") -> fx.SendJingle:
    """Send an action of ours, and remember it until the peer answers it if it is ever owed. `text`: as in `Turn.send_jingle`."""
    text = text or jingle_text(jingle)
    number = 0 if jingle.action == "session-info" else _keep(state, jingle.action, state.own, state.peer, text)
    return _send(state.own, state.peer, jingle, change, number, text)


def keep_message(state: CallState, sender: str, to: str, jmi: Jmi) -> int:
    """The same for a message that ends the ringing or the call, until it has left: nobody acknowledges messages."""
    if not isinstance(jmi, (Retract, Reject, Finish)):
        return 0
    return _keep(state, type(jmi).__name__, sender, to, jmi_text(jmi))


def _keep(state: CallState, kind: str, sender: str, to: str, xml: str) -> int:
    if state.unheard:
        return 0  # it never leaves
    state.numbered += 1
    state.unacked.append([state.numbered, kind, sender, to, xml])
    del state.unacked[:-MAX_UNACKED]
    return state.numbered


def settle(state: CallState, number: int) -> None:
    """The action was answered, or the message has left."""
    if state.unacked and state.unacked[0][0] == number:
        del state.unacked[0]  # peers answer in order
    else:
        state.unacked = [item for item in state.unacked if item[0] != number]


def close(state: CallState, reason: EndReason) -> None:
    """The call is over: what it owes are its last words."""
    state.unacked = [item for item in state.unacked if item[1] in LAST_WORDS]
    state.deadlines.clear()
    state.told, state.told_candidates = [], []
    state.end_reason = reason


def again(state: CallState) -> list[fx.Effect]:
    """All that is unacknowledged, in order."""
    effects: list[fx.Effect] = []
    for number, kind, sender, to, xml in state.unacked:
        element = parse_text(xml)
        if kind in ("Retract", "Reject", "Finish"):
            effects.append(fx.SendJmi(sender, to, parse_jmi(element), number))
        else:
            effects.append(fx.SendJingle(sender, to, parse_jingle(element), 0, number, xml))
    return effects


# --- is the peer still there?


def probe(turn: Turn) -> None:
    """Ask with an empty session-info. J-100."""
    state = turn.state
    state.probed = state.probed or turn.now
    turn.send_jingle(Jingle("session-info", state.sid))
    turn.timer("alive", turn.timers.probe)


def reconnected(turn: Turn) -> None:
    """The server is there again: send what is owed, and ask whether the session still is."""
    state = turn.state
    state.peer_offline, state.undelivered, state.probed = False, False, 0.0
    if state.session not in LIVE:
        return
    arrived = (
        {"session-initiate", "session-accept"} if state.connected else {"session-initiate"} if state.session is Session.ACTIVE else set()
    )
    state.unacked = [item for item in state.unacked if item[1] not in arrived]
    if not _initiate_waits(state):
        turn.effects += again(state)
    probe(turn)


def _initiate_waits(state: CallState) -> bool:
    return state.session is Session.PENDING and any(item[1] == "session-initiate" for item in state.unacked)


def probe_answered(turn: Turn, *, unknown: bool) -> bool:
    """The peer answered an empty session-info. False: the session is over there."""
    if not unknown:
        alive(turn)
        return True
    if not _initiate_waits(turn.state):
        return False
    turn.state.probed = 0.0
    turn.effects += again(turn.state)  # it never arrived
    return True


def alive(turn: Turn) -> None:
    """The peer gave a sign of life; while the session is up, its silence is watched from now on."""
    state = turn.state
    if state.probed and any(item[1] == "session-initiate" for item in state.unacked):
        state.unacked = [item for item in state.unacked if item[1] != "session-initiate"]
        turn.effects += again(state)
    waited, state.probed = state.probed, 0.0
    if waited and state.session is Session.ACTIVE:
        turn.timer("alive", turn.timers.alive)


def unreachable(turn: Turn) -> None:
    """Nothing can be learnt from this silence: we are offline, or nobody says whether media flows."""
    turn.state.probed = 0.0
    turn.timer("alive", turn.timers.alive)


def silent(turn: Turn) -> bool:
    """The timer `alive` fired: ask the peer, or judge its silence. True: it is gone, and no media says otherwise."""
    state, now = turn.state, turn.now
    if state.session not in LIVE or (not state.probed and state.session is Session.PENDING):
        return False
    if not state.probed:
        left = state.heard_at + turn.timers.alive - now
        if left > 0:
            turn.timer("alive", left)
        else:
            probe(turn)
    elif state.media_at > state.probed:
        state.probed = 0.0
        probe(turn)  # what flows is a sign of life; but it may have stopped meanwhile
    elif not state.received:
        # COMPAT(Monal 6): answers no session-info at all; where nobody measures media, that must not end a call.
        unreachable(turn)
    elif state.stats_at < state.probed and now - state.probed < MAX_SILENCE:
        probe(turn)  # the page is away: it may yet say that media flows, and when it does not come back the call ends anyway
    else:
        return True
    return False


# --- what the page may not have got


def remember_told(state: CallState, effects: list[fx.Effect]) -> None:
    """Keep the description that the page was given last, and the candidates since, for a page that lost its events."""
    for effect in effects:
        if type(effect) is fx.TellCandidate:
            if (state.told or not state.connected) and len(state.told_candidates) < MAX_TOLD:
                state.told_candidates.append([effect.candidate, effect.mid, effect.index, effect.ufrag])
        elif type(effect) is fx.TellDescription:
            state.told, state.told_candidates = [effect.type, effect.sdp], []
        elif type(effect) is fx.TellRollback:
            state.told = []


def page_has_it(state: CallState, *, connected: bool) -> None:
    """The page answered, or reported media: it has the description, and with media enough candidates."""
    state.told = []
    if connected:
        state.told_candidates = []


# --- after a restart


def restored(turn: Turn) -> bool:
    """Take a call up again. False: it cannot go on.

    A call of ours that nobody took yet ends: whether its propose has left is not known, and neither is whether an answer came
    while nobody listened. Anything else goes on where it was, with what is left of its time.
    """
    state = turn.state
    state.restored, state.probed, state.peer_offline = True, 0.0, False
    if state.direction == "out" and state.session is Session.IDLE:
        return False
    for endpoint in turn.endpoints():
        turn.add(fx.ShowPresence(endpoint, state.proposed_by or state.peer))
    state.deadlines.pop("gone", None)
    most = {"initiate": INITIATE_SOON} | ({"accept": ACCEPT_SOON} if state.jmi and state.direction == "out" else {})
    for name, at in list(state.deadlines.items()):
        turn.timer(name, max(0.0, min(at - turn.now, most.get(name, at))))
    return True


def terminate_lost(turn: Turn) -> None:
    """The peer's session-initiate may have been acknowledged and then lost with the process: close what it may have open."""
    state = turn.state
    if state.restored:
        jingle = Jingle("session-terminate", state.sid, reason=Reason("gone"))
        turn.add(action(state, jingle))


def repeated(state: CallState, event: object, endpoint: str) -> bool:
    """A page whose acknowledgement was lost with the process asks a restored call again. The same request once more changes nothing."""
    if isinstance(event, Accepted):
        return state.accepted and state.own == endpoint
    if isinstance(event, Described):
        if event.type != "answer" or state.signalling is not Signalling.STABLE or state.side.said is None:
            return False
        return state.side.said.format() == sdp.parse(event.sdp).format()
    return False
