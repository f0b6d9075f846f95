"""One event being handled: the call's state, the time, and the effects so far.

Handlers are plain functions of a `Turn`; they change `turn.state` only through the state machines and append effects in
the order in which they are to happen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from jinglebridge.calls import effects as fx
from jinglebridge.calls import owed
from jinglebridge.calls.model import CallState, PeerInfo, Timers
from jinglebridge.calls.states import step
from jinglebridge.jingle import Jingle, Jmi

MAX_DETAIL = 200  # characters of a line for the log, of which a peer may have written some


@dataclass(slots=True)
class Turn:
    """`now` in seconds of a clock that survives as long as the call, also over a restart: wall-clock time. `branch`: another
    branch of the call goes on, so its page does not hear how this one ends. `peer_info`: the registry's look-up."""

    state: CallState
    now: float
    timers: Timers
    peer_info: Callable[[str, str], PeerInfo]
    branch: bool = False
    effects: list[fx.Effect] = field(default_factory=list)

    @property
    def key(self) -> fx.CallKey:
        return self.state.key

    @property
    def peer(self) -> PeerInfo:
        """What is known about the peer now; most turns do not ask."""
        own, peer, _ = self.key
        return self.peer_info(own, peer)

    def add(self, effect: fx.Effect) -> None:
        """It happens after those before. Of an unheard call nothing leaves; a missed call may be told of later, in its own way."""
        if self.state.unheard and isinstance(effect, fx.SendJmi | fx.SendJingle | fx.ShowPresence):
            return
        self.effects.append(effect)

    def note(self, event: str, detail: str = "") -> None:
        self.add(fx.Note(event, self.state.call, self.state.sid, detail[:MAX_DETAIL]))

    def timer(self, name: str, seconds: float) -> None:
        self.state.deadlines[name] = self.now + seconds
        self.add(fx.StartTimer(self.key, name, seconds))

    def send_jmi(self, jmi: Jmi, *, to: str | None = None, sender: str | None = None) -> None:
        sender, to = sender or self.state.own, to or self.state.peer
        self.add(fx.SendJmi(sender, to, jmi, owed.keep_message(self.state, sender, to, jmi)))

    def send_jingle(self, jingle: Jingle, change: int = 0, text: str = "") -> None:
        """Send one action of ours; the session machine moves with it. `text`: its text, where it was made already."""
        state = self.state
        state.session = step(state.session, state.role, jingle.action)
        self.add(owed.action(state, jingle, change, text))

    def endpoints(self) -> list[str]:
        """Who sees this call: all that ring, or the one endpoint that placed or accepted it."""
        if self.state.direction == "in" and not self.state.accepted:
            return list(self.state.ringing_at)
        return [self.state.own]

    def tell_state(self) -> None:
        """Tell the owner the joint state, if it is one that the web side knows."""
        state = self.state.joint
        if state != "incoming" and state != "ended":
            for endpoint in self.endpoints():
                self.add(fx.TellState(endpoint, self.state.call, state, self.state.abilities))
