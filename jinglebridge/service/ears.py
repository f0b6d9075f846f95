"""From stanzas to events of the engine: Jingle IQs and JMI messages.

The whole work per stanza: parse it, ask the registry, ack, perform the effects.

Spec: J-051, J-070, J-073, J-077.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import NoReturn

from jinglebridge.calls import events as ev
from jinglebridge.calls.registry import MAX_XML, Registry
from jinglebridge.calls.steps import candidate_alone
from jinglebridge.errors import BadRequest, TieBreak
from jinglebridge.jingle import JMI_TAGS, Jmi, parse_jingle, parse_jmi, plain_jingle, plain_jmi
from jinglebridge.service.performer import Clock, Performer
from jinglebridge.values import maker
from jinglebridge.xml import to_text
from jinglebridge.xmpp import framing
from jinglebridge.xmpp.router import Answer, Handler, Router
from jinglebridge.xmpp.stanza import Stanza, age, read_error

JINGLE = "{urn:xmpp:jingle:1}jingle"
SMALL = MAX_XML // 20  # counted characters: written out, the worst element (`<a xmlns=""></a>`) is not twenty times that
RECEIPT = "{urn:xmpp:receipts}request"

_received, _answer = maker(ev.JingleReceived), maker(Answer)


class Ears:
    def __init__(self, registry: Registry, performer: Performer, clock: Clock) -> None:
        self._registry = registry
        self._performer = performer
        self._clock = clock

    def register(self, router: Router) -> None:
        router.iq["set", JINGLE] = self.jingle
        router.jingle = self.jingle_text
        router.jmi = self.jmi_text
        for tag in JMI_TAGS:
            router.message[tag] = self.jmi
        router.message_error = self.bounced

    def jingle(self, stanza: Stanza) -> Answer:
        """A Jingle IQ. What it raises is the error reply; the effects follow the ack."""
        assert stanza.payload is not None
        jingle = parse_jingle(stanza.payload)
        xml = to_text(stanza.payload) if stanza.size > SMALL else ""  # for the limit of what is carried, which a small one is far from
        return self._heard(ev.JingleReceived(jingle, stanza.sender, stanza.to, xml))

    def jingle_text(self, stanza: Stanza, text: str) -> Answer | None:
        """The same for one that is still text; None if it is not plain."""
        jingle = plain_jingle(text)
        if jingle is None:
            return None
        # A candidate is in the timeline already, as the page gets it.
        known = len(text) <= SMALL and candidate_alone(jingle) is not None
        return self._heard(_received(jingle, stanza.sender, stanza.to, "" if known else text))

    def _heard(self, event: ev.JingleReceived) -> Answer:
        try:
            effects = self._registry.from_peer(event, self._clock())
        except TieBreak as error:
            if not len(self._performer.gate):
                raise
            return Answer(later=partial(self._lost, error))
        return _answer(None, lambda: self._performer.perform(effects))

    async def _lost(self, error: TieBreak) -> NoReturn:
        """What the peer's request lost against may wait for its commit still. It leaves first: Conversations takes an offer that comes
        after the error for the answer to its own. J-221."""
        await self._performer.gate.passed()
        raise error

    def jmi(self, stanza: Stanza) -> None:
        if stanza.type == "groupchat" or stanza.payload is None:
            return
        try:
            jmi = parse_jmi(stanza.payload)
        except BadRequest:
            return  # a message gets no error
        self._told(jmi, stanza.element.find(RECEIPT) is not None, age(stanza.element, datetime.now(UTC)), stanza)

    def jmi_text(self, text: str) -> Handler | None:
        """The same for the children of a message that are still text; None if they are not plain. One with a delay is not."""
        parted = framing.parted(text)
        if parted is None:
            return None
        element, receipt = parted
        try:
            jmi = plain_jmi(element)
        except BadRequest:
            return lambda stanza: None
        return None if jmi is None else partial(self._told, jmi, receipt, 0.0)

    def _told(self, jmi: Jmi, receipt: bool, age: float, stanza: Stanza) -> None:
        event = ev.JmiReceived(jmi, stanza.sender, stanza.to, stanza.id, receipt, age)
        self._performer.perform(self._registry.from_peer_message(event, self._clock()))

    def bounced(self, stanza: Stanza) -> None:
        """An error for a JMI message of ours; it echoes the element, or at least its id is known."""
        condition, _ = read_error(stanza.element)
        key = self._performer.sent_message(stanza.id)
        if key is not None and key[1] == stanza.sender.partition("/")[0]:
            self._performer.perform(self._registry.handle(key, ev.Bounced(condition), self._clock()))
