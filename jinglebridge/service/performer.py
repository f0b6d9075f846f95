"""Carries out what the engine wants: stanzas, frames, timers, log lines; in order, and without failing back.

What must not be forgotten waits in the gate until the journal has it.

Spec: DESIGN §4 (effects, Journal).
"""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import structlog

from jinglebridge.calls import call
from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls.model import bare
from jinglebridge.calls.registry import Registry
from jinglebridge.jingle import jingle_text, jmi_text
from jinglebridge.jingle.xep_0353 import NS_HINTS
from jinglebridge.service.callbook import CallBook
from jinglebridge.service.gate import Gate
from jinglebridge.service.metrics import Metrics
from jinglebridge.store.journal import Journal
from jinglebridge.xmpp.presence import PresenceKeeper
from jinglebridge.xmpp.requests import TIMEOUT, Requests
from jinglebridge.xmpp.stanza import Send, message, new_id, written

log = structlog.get_logger()

Clock = Callable[[], float]
MAX_REMEMBERED = 4096  # message ids whose bounce we would recognise
# Nobody got it: RFC 6120 §8.3.3, and our own words for no answer.
UNDELIVERED = call.NOBODY | {"timeout", "offline"}
STORE_HINT = f"{{{NS_HINTS}}}store"
RECEIVED = "{urn:xmpp:receipts}received"


class Listener(Protocol):
    """Whoever has an endpoint: a web session, or a media endpoint of our own."""

    def tell(self, effect: fx.EndpointEffect) -> None: ...


class Performer:
    """You must set `listener_of`, which finds who an endpoint's full or bare JID belongs to."""

    def __init__(
        self,
        registry: Registry,
        send: Send,
        requests: Requests,
        presence: PresenceKeeper,
        clock: Clock,
        metrics: Metrics,
        journal: Journal,
        book: CallBook,
    ) -> None:
        self._registry = registry
        self.gate = Gate(journal, self._carry_out)
        self._send = send
        self._requests = requests
        self._presence = presence
        self._clock = clock
        self._metrics = metrics
        self._book = book
        self._timers: dict[fx.CallKey, dict[str, asyncio.TimerHandle]] = {}
        self._messages: OrderedDict[str, fx.CallKey] = OrderedDict()
        self.blocked: Callable[[str, str], bool] = lambda own, peer: False  # does the peer want to hear nothing of this user of ours?
        self.listener_of: Callable[[str], Listener | None] = lambda jid: None
        self._acts: dict[type[fx.Effect], Callable[[Any], None]] = {  # what is not here is told to an endpoint
            fx.SendJmi: self._send_jmi,
            fx.SendJingle: self._send_jingle,
            fx.SendReceipt: self._send_receipt,
            fx.ShowPresence: lambda effect: presence.direct(effect.sender, effect.to),
            fx.TellPeerMissed: self._tell_missed,
            fx.Recorded: lambda effect: book.keep(effect.record),
            fx.StartTimer: self._start,
            fx.StopTimers: self._stop,
            fx.Note: self._note,
        }

    def perform(self, effects: Iterable[fx.Effect], then: Callable[[], None] = lambda: None) -> None:
        """Carry out what one event led to, and then `then`. You must call this once after each event, before the next."""
        self.gate.submit(self._registry.take_changed(), list(effects), then)

    def _carry_out(self, effects: Iterable[fx.Effect]) -> None:
        for effect in effects:
            try:
                self._one(effect)
            except Exception:
                # One effect that fails (a stanza too big to send, say) must not keep the others from happening.
                log.exception("effect-failed", effect=type(effect).__name__)

    def sent_message(self, id: str) -> fx.CallKey | None:
        return self._messages.pop(id, None)

    def _one(self, effect: fx.Effect) -> None:
        self._acts.get(type(effect), self._tell)(effect)

    def _send_receipt(self, effect: fx.SendReceipt) -> None:
        received = ET.Element(RECEIVED, {"id": effect.id})
        self._send(message(effect.sender, effect.to, new_id(), received, ET.Element(STORE_HINT)))

    def _tell_missed(self, effect: fx.TellPeerMissed) -> None:
        if not self.blocked(effect.own, effect.peer):
            self._book.tell_missed(effect)

    def _stop(self, effect: fx.StopTimers) -> None:
        for timer in self._timers.pop(effect.key, {}).values():
            timer.cancel()

    def _note(self, effect: fx.Note) -> None:
        self._metrics.note(effect)
        log.info(effect.event, call=effect.call, sid=effect.sid, detail=effect.detail)

    def _send_jmi(self, effect: fx.SendJmi) -> None:
        id = new_id()
        self._messages[id] = (bare(effect.sender), bare(effect.to), effect.jmi.id)
        if len(self._messages) > MAX_REMEMBERED:
            self._messages.popitem(last=False)
        payload = f'{jmi_text(effect.jmi)}<store xmlns="{NS_HINTS}"/>'
        if self._send(written("message", "chat", effect.sender, effect.to, id, payload)):
            self._settled(self._messages[id], effect.number)

    def _send_jingle(self, effect: fx.SendJingle) -> None:
        key = (bare(effect.sender), bare(effect.to), effect.jingle.sid)
        action = effect.jingle.action

        def answered(_: ET.Element | None, condition: str | None, jingle: str | None) -> None:
            if condition is None and action == "transport-info" and self._registry.acknowledged(key, effect.number, self._clock()):
                self.gate.later(self._registry.take_changed())
                return
            # What never left, or was on its way when the connection broke, is owed; the engine knows that.
            if condition == "offline" and action != "session-info":
                return
            if condition in UNDELIVERED and jingle is None:
                self._registry.undelivered(key)
            else:
                self._settled(key, effect.number)
            self.perform(self._registry.handle(key, ev.Answered(action, condition, jingle, effect.change), self._clock()))

        timeout = TIMEOUT if effect.number else self._registry.timers.probe
        self._requests.ask("set", effect.sender, effect.to, effect.text or jingle_text(effect.jingle), answered, timeout)

    def _settled(self, key: fx.CallKey, number: int) -> None:
        if number:
            self._registry.settled(key, number)
            self.gate.later(self._registry.take_changed())

    def _start(self, effect: fx.StartTimer) -> None:
        timers = self._timers.setdefault(effect.key, {})
        if effect.name in timers:
            timers[effect.name].cancel()

        def fired() -> None:
            left = self._timers.get(effect.key, {})
            left.pop(effect.name, None)
            if not left:
                self._timers.pop(effect.key, None)
            self.perform(self._registry.handle(effect.key, ev.TimerFired(effect.name), self._clock()))

        timers[effect.name] = asyncio.get_running_loop().call_later(effect.seconds, fired)

    def _tell(self, effect: fx.EndpointEffect) -> None:
        where = effect.owner if isinstance(effect, fx.TellMissed) else effect.endpoint
        listener = self.listener_of(where)
        if listener is not None:
            listener.tell(effect)
        elif not isinstance(effect, fx.TellMissed):
            log.info("endpoint-gone", effect=type(effect).__name__)  # it left while the effect waited for its commit
