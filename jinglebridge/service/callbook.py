"""The calls that are over: kept for the lists of our users, and told to peers who missed one.

Spec: DESIGN §3 (`history`, `missed`), J-256: never SDP in it; XEP-0334 §4; XEP-0172.
"""

from __future__ import annotations

import secrets
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import UTC, datetime

from jinglebridge.calls import effects as fx
from jinglebridge.calls.model import is_guest
from jinglebridge.calls.people import CallRecord
from jinglebridge.errors import EndpointError
from jinglebridge.jingle.xep_0353 import NS_HINTS
from jinglebridge.store.base import Store
from jinglebridge.web import messages as m
from jinglebridge.xmpp.stanza import Send, message, text_child

DAY = 86400.0
NICK = "{http://jabber.org/protocol/nick}nick"
STORE = f"{{{NS_HINTS}}}store"


class CallBook:
    """`days`: how long a call is kept, 0 for not at all. `name_of`: what a user of ours (bare JID) is called."""

    def __init__(self, store: Store, send: Send, domain: str, days: float, name_of: Callable[[str], str]) -> None:
        self._store = store
        self._send = send
        self._domain = domain
        self._days = days
        self._name_of = name_of
        self.known: Callable[[str], bool] = lambda own: True  # was somebody of this name ever here?
        self.told: Callable[[str], bool] = lambda own: False  # does the peer know of this guest's call already?

    def keep(self, record: CallRecord) -> None:
        """A guest has no list, and neither have our services, nor names that strangers make up (J-254)."""
        if self._days and not (is_guest(record.own) or record.own.startswith(("echo@", "probe@"))) and self.known(record.own):
            self._store.save(record)

    def forget_old(self, now: float) -> None:
        self._store.forget_calls(now - self._days * DAY)

    def tell_missed(self, effect: fx.TellPeerMissed) -> None:
        """One message to a peer elsewhere; a web user of ours has a list. It is stored by their server until they are there."""
        if effect.peer.rpartition("@")[2] == self._domain:
            return
        name = self._name_of(effect.own) or effect.own.partition("@")[0]
        guest = is_guest(effect.own)
        if guest and self.told(effect.own):
            return  # one message is enough
        sender = self._domain if guest else effect.own  # an answer to a guest would reach nobody
        kind = "video call" if "video" in effect.media else "call"
        text = f"Missed {kind} from {name}, who used a guest link of yours" if guest else f"Missed {kind} from {name}"
        nick = ET.Element(NICK)
        nick.text = name
        children = [text_child("body", text), ET.Element(STORE), *([] if guest else [nick])]
        self._send(message(sender, effect.peer, secrets.token_urlsafe(16), *children))

    async def page(self, frame: m.History, own: str) -> m.HistoryEvent:
        """Raises EndpointError."""
        before = _moment(frame.before) if frame.before else 2.0**40
        found = await self._store.calls(own, before, frame.limit + 1)
        return m.HistoryEvent(id=frame.id, calls=[_entry(r) for r in found[: frame.limit]], more=len(found) > frame.limit)


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise EndpointError("bad-frame", "before is not a time like 2026-01-31T12:00:00.000000+00:00") from None


def _entry(record: CallRecord) -> m.CallEntry:
    return m.CallEntry(
        call=record.call,
        with_=record.peer,
        name=record.name or record.peer.partition("@")[0],
        direction=record.direction,
        media=m.Media(audio=record.audio, video=record.video),
        at=datetime.fromtimestamp(record.at, UTC).isoformat(timespec="microseconds"),
        answered=record.answered > 0,
        seconds=max(0, int(record.ended - record.answered)) if record.answered else 0,
        reason=record.reason,  # type: ignore[arg-type]
    )
