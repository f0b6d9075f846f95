"""The gateway as a contact, and what it sees of those who show themselves. RFC 6121 §3, §4."""

from __future__ import annotations

import pytest

from jinglebridge.calls.people import Contact
from jinglebridge.service import availability
from jinglebridge.service.availability import Availability
from jinglebridge.store.memory import MemoryStore
from jinglebridge.xmpp import caps, disco
from tests.unit.fakes import DOMAIN, Sent, presence

BOB = "bob@im.test"


class Lab:
    def __init__(self) -> None:
        self.sent = Sent()
        self.store = MemoryStore()
        self.it = self.again()

    def again(self) -> Availability:
        """As after a restart."""
        return Availability(DOMAIN, self.sent, self.store, lambda jid: jid.endswith("@im.test"))

    def kinds(self) -> list[tuple[str, str]]:
        return [(e.get("type", ""), e.get("to", "")) for e in self.sent.take()]

    def got(self, sender: str, type: str = "", inner: str = "") -> list[tuple[str, str]]:
        self.it.received(presence(sender, DOMAIN, inner, type))
        return [(e.get("type", ""), e.get("to", "")) for e in self.sent.take()]


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_whoever_subscribes_sees_the_gateway(lab: Lab):
    lab.it.received(presence(BOB, DOMAIN, type="subscribe"))
    subscribed, here = lab.sent.take()
    assert (subscribed.get("type"), here.get("type")) == ("subscribed", None)
    c = here.find(f"{{{caps.NS}}}c")
    assert c is not None and c.get("ver") == disco.GATEWAY.ver()
    assert lab.got(f"{BOB}/x", "probe") == [("", f"{BOB}/x")]
    assert lab.got(BOB, "unsubscribe") == [("unsubscribed", BOB)]
    assert lab.got("eve@evil.test", "subscribe") == [] and lab.got(f"{BOB}/x", "error") == []


def test_watchers_hear_of_stops_and_starts(lab: Lab):
    lab.got(BOB, "subscribe"), lab.got(BOB, "subscribe"), lab.got("carol@im.test", "subscribe")
    lab.got("carol@im.test", "unsubscribe"), lab.got("carol@im.test", "unsubscribe")
    lab.it.leaving()
    assert lab.kinds() == [("unavailable", BOB)]
    lab.it = lab.again()
    lab.it.connected([])
    assert lab.kinds() == [("", BOB)]


def test_watchers_are_bounded(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(availability, "MAX_WATCHERS", 2)
    for n in range(5):
        assert lab.got(f"u{n}@im.test", "subscribe"), "each is answered"
    assert len(lab.store.rows(Contact)) == 2


def test_what_it_sees(lab: Lab):
    assert lab.it.of(BOB) == "unknown"
    lab.it.ask(BOB)
    assert [e.get("type") for e in lab.sent.take()] == ["subscribe"]
    lab.got(BOB, "subscribed")
    assert lab.it.of(BOB) == "offline"
    lab.got(f"{BOB}/phone", "", "<show>away</show>")
    assert lab.it.of(BOB) == "away"
    lab.got(f"{BOB}/pc", "", "<show>chat</show>")
    assert lab.it.of(BOB) == "available"
    lab.it.ask(BOB)
    assert lab.sent.take() == [], "it is seen already"
    lab.got(f"{BOB}/pc", "unavailable")
    assert lab.it.of(BOB) == "away"
    lab.got(BOB, "unavailable")
    assert lab.it.of(BOB) == "offline"
    lab.got(BOB, "unsubscribed")
    assert lab.it.of(BOB) == "unknown"


def test_a_new_connection_asks_again(lab: Lab):
    lab.got(f"{BOB}/phone")
    lab.it.connected([BOB])
    assert [(e.get("type"), e.get("to")) for e in lab.sent.take()] == [("probe", BOB)] and lab.it.of(BOB) == "unknown"


def test_bounded(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(availability, "MAX_SEEN", 3)
    for n in range(40):
        lab.got(f"{BOB}/{n}")
        lab.got(f"u{n}@im.test/x")
        lab.got(f"v{n}@im.test/x", "unavailable")
        lab.got(f"w{n}@im.test", "subscribed")
    assert len(lab.it._seen) == 3 and all(len(r) <= 32 for r in lab.it._seen.values())
