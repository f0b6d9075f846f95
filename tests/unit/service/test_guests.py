"""Guests: they reach the maker of their link and nobody else, and nobody else reaches them. DESIGN §2 (c), §5; issue 5, item 4."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from jinglebridge.calls.model import PeerInfo, PeerResource
from jinglebridge.errors import EndpointError
from jinglebridge.service.links import Wish
from jinglebridge.store.journal import MemoryJournal
from jinglebridge.store.memory import MemoryStore
from jinglebridge.web import messages as m
from jinglebridge.web.sessions import Session
from jinglebridge.xmpp.stanza import NS
from tests.unit.cases import AV, offer, small
from tests.unit.fakes import DOMAIN, el, presence, settle, until
from tests.unit.service.world import FakeWire, World

BOB, EVE = "bob@im.test", "eve@im.test/x"
JMI = "urn:xmpp:jingle-message:0"
OFFER = m.Description(type="offer", sdp=small())
TURN = "<service type='turn' host='192.0.2.9' username='u' password='p'/>"
AUDIO = "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/>"
DISCO = "<query xmlns='http://jabber.org/protocol/disco#info'/>"


class Lab(World):
    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.ice.has_turn = True

    def link(self, **wish: Any) -> tuple[str, str]:
        """(its id, its code)"""
        link, url = self.reception.links.make(BOB, Wish(**wish))
        return link.id, url.rpartition("/")[2]

    async def guest(self, code: str, name: str = "Anna") -> tuple[Session, FakeWire, dict[str, Any]]:
        return await self.hello(token=None, code=code, name=name)

    def call(self, session: Session, call: str = "c1", to: str = BOB) -> None:
        self.desk.request(session, m.CallRequest(id=f"r-{call}", call=call, to=to, description=OFFER))

    def proposes(self) -> list[tuple[str | None, str | None, str | None]]:
        found = []
        for message in self.stanzas("message"):
            propose = message.find(f"{{{JMI}}}propose")
            if propose is not None:
                found.append((message.get("from"), message.get("to"), propose.get("id")))
        return found

    def proceed(self, sid: str | None, to: str) -> None:
        self.router.route(el(f"<message from='{BOB}/phone' to='{to}' type='chat'><proceed xmlns='{JMI}' id='{sid}'/></message>"))

    def code_of(self, session: Session, frame: m.Request) -> str:
        with pytest.raises(EndpointError) as caught:
            self.desk.request(session, frame)
        return caught.value.code


@pytest.fixture
async def lab() -> Lab:
    return Lab()


async def test_what_a_guest_sees_and_may(lab: Lab):
    _, code = lab.link(label="Shop")
    guest, _, welcome = await lab.guest(code)
    assert guest.jid.startswith("guest-anna-") and guest.identity.relay_only
    assert [(c["jid"], c["name"], c["presence"], c["subscription"]) for c in welcome["contacts"]] == [(BOB, "bob", "unknown", "none")]
    assert lab.sent.take() == [], "no subscription, no presence, before a call"
    for frame in (
        m.ContactsAdd(id="1", jid="x@im.test"), m.ContactsRemove(id="1", jid=BOB), m.ContactsApprove(id="1", jid=BOB),
        m.ContactsDeny(id="1", jid=BOB), m.History(id="1"), m.SetPresence(id="1"),
    ):  # fmt: skip
        assert lab.code_of(guest, frame) == "forbidden"
    for to in (f"echo@{DOMAIN}", "carol@im.test", f"anna@{DOMAIN}", "nonsense@@"):
        assert lab.code_of(guest, m.Ice(id="1", to=to)) == "forbidden"
        assert lab.code_of(guest, m.CallRequest(id="1", call="c", to=to, description=OFFER)) == "forbidden"
    assert lab.sent.take() == []


async def test_a_call_that_rings_nowhere_is_not_announced(lab: Lab):
    """The maker's only device is for text."""
    _, code = lab.link(label="Shop")
    guest, wire, _ = await lab.guest(code)
    lab.registry.peer_info = lambda own, peer: PeerInfo("bob", (PeerResource(f"{BOB}/text", frozenset({"urn:xmpp:ping"})),))
    lab.sent.take()
    lab.call(guest)
    await settle()
    assert wire.take("ended")[0]["reason"] == "unreachable"
    said = [e.findtext(f"{{{NS}}}body") or "" for e in lab.sent.take()]
    assert not any("calls you" in text for text in said), said


async def test_the_maker_reads_who_calls_once(lab: Lab):
    _, code = lab.link(label="Shop")
    guest, _, _ = await lab.guest(code, "Anna")
    lab.call(guest)
    presences = [e for e in lab.sent if e.tag.endswith("presence")]
    assert [e.findtext("{http://jabber.org/protocol/nick}nick") for e in presences] == ["Anna (link: Shop)"]
    messages = lab.stanzas("message")
    note, propose = messages
    assert note.findtext(f"{{{NS}}}body") == f"Anna calls you by your guest link “Shop”, from the address {guest.bare}."
    assert lab.reception.guests.told(guest.bare) and not lab.reception.guests.told("guest-other@x")
    assert (note.get("from"), note.get("to"), propose.get("to"), propose.get("from")) == (DOMAIN, BOB, BOB, guest.jid)
    lab.desk.request(guest, m.Hangup(id="h", call="c1"))
    lab.sent.take()
    lab.call(guest, "c2")
    assert len(lab.stanzas("message")) == 1, "the propose alone"
    other, _, _ = await lab.guest(lab.link()[1], "Bert")
    lab.call(other)
    assert "by your guest link, from" in (lab.stanzas("message")[0].findtext(f"{{{NS}}}body") or "")


async def test_ice_for_a_call_counts_and_gives_relay_only(lab: Lab):
    _, code = lab.link()
    guest, wire, _ = await lab.guest(code)
    lab.desk.request(guest, m.Ice(id="i", to=BOB))
    await settle()
    asked = lab.stanzas("iq")[0]
    services = f"<services xmlns='urn:xmpp:extdisco:2'>{TURN}</services>"
    lab.router.route(el(f"<iq type='result' id='{asked.get('id')}' from='im.test' to='{guest.jid}'>{services}</iq>"))
    (event,) = await until(lambda: wire.take("ice"))
    assert event["iceTransportPolicy"] == "relay" and event["iceServers"][0]["urls"] == ["turn:192.0.2.9:3478?transport=udp"]
    lab.call(guest, "c0")
    for n in range(1, 6):
        lab.call(guest, f"c{n}")
        lab.desk.request(guest, m.Hangup(id=f"h{n}", call=f"c{n}"))
    lab.desk.request(guest, m.Ice(id="i2", to=BOB))  # of the call that is there
    lab.desk.request(guest, m.Hangup(id="h0", call="c0"))
    assert lab.code_of(guest, m.Ice(id="i3", to=BOB)) == "rate-limited", "six calls a minute by one link"


async def test_only_the_maker_reaches_a_guest(lab: Lab):
    _, code = lab.link()
    guest, wire, _ = await lab.guest(code)
    lab.call(guest)
    lab.sent.take()
    unknown = f"guest-nobody@{DOMAIN}/w-x"

    def answers(text: str, to: str) -> list[str]:
        lab.router.route(el(text.replace("TO", to)))
        return [ET.tostring(e, encoding="unicode").replace(to, "X").replace(to.partition("/")[0], "X") for e in lab.sent.take()]

    sdp = "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='s' initiator='eve@im.test/x'/>"
    for inner in (
        DISCO,
        "<query xmlns='jabber:iq:version'/>",
        "<ping xmlns='urn:xmpp:ping'/>",
        "<query xmlns='http://jabber.org/protocol/disco#items'/>",
    ):
        for jid, nobody in ((guest.jid, unknown), (guest.bare, unknown.partition("/")[0])):
            text = f"<iq type='get' id='1' from='{EVE}' to='TO'>{inner}</iq>"
            assert answers(text, jid) == answers(text, nobody) != []
    text = f"<iq type='set' id='1' from='{EVE}' to='TO'>{sdp}</iq>"
    assert answers(text, guest.jid) == answers(text, unknown) != []
    propose = f"<message from='{EVE}' to='TO' type='chat'><propose xmlns='{JMI}' id='p'>{AUDIO}</propose></message>"
    assert answers(propose, guest.bare) == answers(propose, unknown.partition("/")[0]) == []
    for kind in ("", "subscribe", "probe", "unavailable", "subscribed"):
        assert answers(ET.tostring(presence(EVE, guest.bare, type=kind).element, encoding="unicode"), "-") == []
    assert not wire.take("incoming", "missed", "contact") and list(lab.presence.roster.of(guest.bare)) == []
    lab.router.route(el(f"<iq type='get' id='1' from='{BOB}/phone' to='{guest.jid}'>{DISCO}</iq>"))
    assert lab.stanzas("iq")[0].get("type") == "result", "the maker's client sees what the guest can"
    lab.router.route(presence(BOB, guest.bare, type="subscribe").element)
    assert lab.sent.take() == [] and list(lab.presence.roster.of(guest.bare)) == [], "not even the maker subscribes"
    lab.router.route(el(propose.replace(EVE, f"{BOB}/phone").replace("TO", guest.bare)))
    assert wire.take("incoming"), "but may call back"


@pytest.mark.parametrize("how", ["dnd", "block"])
async def test_a_call_that_does_not_ring_looks_like_one_that_nobody_answers(how: str):
    lab = Lab()
    lab.registry.timers = type(lab.registry.timers)(ring=0.05)
    _, code = lab.link()
    loud, loud_wire, _ = await lab.guest(code, "Loud")
    lab.call(loud)
    assert len(lab.proposes()) == 1
    quiet, quiet_wire, _ = await lab.guest(code, "Quiet")
    if how == "dnd":
        lab.reception.owners.set_dnd(BOB, True)
    else:
        lab.reception.owners.block(BOB, quiet.bare)
        quiet, quiet_wire, _ = await lab.guest(code, "Quiet")
        lab.reception.owners._blocks[BOB][quiet.bare] = None  # blocked while its page is open is another test
    lab.sent.take()
    lab.call(quiet)
    assert lab.sent.take() == [], "nothing leaves: no presence, no message, no propose"
    ends = [await until(lambda w=w: [f for f in w.frames if f["type"] == "ended"]) for w in (loud_wire, quiet_wire)]
    assert ends[0][0]["reason"] == ends[1][0]["reason"] == "no-answer"
    told = [[(f["type"], f.get("state")) for f in w.frames] for w in (loud_wire, quiet_wire)]
    assert told[0] == told[1]
    assert [e for e in lab.sent if quiet.bare in ET.tostring(e, encoding="unicode")] == [], "no retract of what nobody heard of"
    missed = [e for e in lab.sent if "Quiet" in (e.findtext(f"{{{NS}}}body") or "")]
    assert len(missed) == (how == "dnd"), "who does not want to be disturbed reads of it later; who blocked does not"


async def test_a_call_that_rings_is_told_to_stop_even_if_dnd_came_meanwhile(lab: Lab):
    guest, _, _ = await lab.guest(lab.link()[1])
    lab.call(guest)
    lab.sent.take()
    lab.reception.owners.set_dnd(BOB, True)
    lab.desk.request(guest, m.Hangup(id="h", call="c1"))
    assert any(e.find(f"{{{JMI}}}retract") is not None for e in lab.stanzas("message"))


async def test_dnd_is_for_guests_and_blocking_for_web_users_too(lab: Lab):
    lab.reception.owners.set_dnd(BOB, True)
    anna, _, _ = await lab.hello("anna", BOB)
    lab.sent.take()
    lab.call(anna, "c1")
    assert len(lab.proposes()) == 1
    lab.reception.owners.block(BOB, f"anna@{DOMAIN}")
    assert not list(lab.registry.calls_of(anna.jid)), "what runs ends"
    lab.sent.take()
    lab.call(anna, "c2")
    assert lab.sent.take() == []


async def test_blocking_a_guest_ends_its_page(lab: Lab):
    guest, wire, _ = await lab.guest(lab.link()[1])
    lab.call(guest)
    lab.reception.owners.block(BOB, guest.bare)
    assert wire.closed == (4002, "revoked") and guest.jid not in lab.sessions.by_jid


async def test_a_link_without_video_takes_no_video_call(lab: Lab):
    """Whatever page the guest uses. The refused one does not count against the link."""
    guest, _, _ = await lab.guest(lab.link(video=False)[1])
    video = m.CallRequest(id="v", call="v", to=BOB, description=m.Description(type="offer", sdp=offer(AV)))
    assert lab.code_of(guest, video) == "forbidden" and not lab.registry.calls
    lab.call(guest)
    free, _, _ = await lab.guest(lab.link()[1])
    lab.desk.request(free, video)
    assert [state.media for state in lab.registry.calls.values()] == [["audio"], ["audio", "video"]]


async def test_revoking_a_link_ends_its_guests_and_their_calls(lab: Lab):
    _, code = lab.link()
    guest, wire, _ = await lab.guest(code)
    other, _, _ = await lab.guest(lab.link()[1])
    lab.call(guest)
    lab.reception.links.revoke(lab.reception.links.of()[0])
    assert wire.closed == (4002, "revoked") and list(lab.sessions.by_jid) == [other.jid] and not lab.registry.calls
    lab.reception.sweep()
    assert not lab.reception.guests._told


async def test_a_single_use_link_is_spent_when_the_call_is_accepted(lab: Lab):
    _, code = lab.link(once=True)
    first, first_wire, _ = await lab.guest(code, "First")
    second, second_wire, _ = await lab.guest(code, "Second")
    lab.call(first)
    ((_, _, sid),) = lab.proposes()
    lab.call(second)
    lab.router.route(el(f"<message from='{BOB}/phone' to='{first.jid}' type='chat'><ringing xmlns='{JMI}' id='{sid}'/></message>"))
    assert not lab.reception.links.of()[0].spent, "ringing spends nothing"
    lab.proceed(sid, first.jid)
    assert lab.reception.links.of()[0].spent and first_wire.closed is None
    await until(lambda: second_wire.closed)
    assert second.jid not in lab.sessions.by_jid and [s.peer for s in lab.registry.calls.values()] == [f"{BOB}/phone"]
    lab.desk.request(first, m.Hangup(id="h", call="c1"))
    assert lab.code_of(first, m.Ice(id="i", to=BOB)) == "token-expired", "call again is another call"
    with pytest.raises(EndpointError):
        await lab.guest(code)
    lab.reception.guests.accepted(second)  # its answer was on its way
    lab.reception.guests.accepted(first)
    await settle()
    assert first.jid in lab.sessions.by_jid


async def test_a_single_use_link_is_spent_by_a_device_without_jmi_and_by_calling_back(lab: Lab):
    """Whoever began the call, and however: it was taken."""
    plain, back = lab.link(once=True), lab.link(once=True)
    guest, _, _ = await lab.guest(plain[1])
    features = frozenset({
        "urn:xmpp:jingle:1", "urn:xmpp:jingle:apps:rtp:1", "urn:xmpp:jingle:transports:ice-udp:1", "urn:xmpp:jingle:apps:dtls:0",
        "urn:xmpp:jingle:apps:rtp:audio",
    })  # fmt: skip
    info, lab.registry.peer_info = lab.registry.peer_info, lambda own, peer: PeerInfo("", (PeerResource(f"{BOB}/old", features),))
    lab.call(guest)
    (initiate,) = [e for e in lab.stanzas("iq") if len(e) and e[0].get("action") == "session-initiate"]
    content = ET.tostring(initiate[0][0], encoding="unicode").replace("actpass", "active")
    answer = (
        f"<jingle xmlns='urn:xmpp:jingle:1' action='session-accept' sid='{initiate[0].get('sid')}' responder='{BOB}/old'>{content}</jingle>"
    )
    assert not any(link.spent for link in lab.reception.links.of())
    lab.router.route(el(f"<iq type='set' id='a' from='{BOB}/old' to='{guest.jid}'>{answer}</iq>"))
    assert [link.id for link in lab.reception.links.of() if link.spent] == [plain[0]]

    lab.registry.peer_info = info
    other, wire, _ = await lab.guest(back[1])
    propose = f"<propose xmlns='{JMI}' id='p'>{AUDIO}</propose>"
    lab.router.route(el(f"<message from='{BOB}/phone' to='{other.bare}' type='chat'>{propose}</message>"))
    (incoming,) = wire.take("incoming")
    assert len([link for link in lab.reception.links.of() if link.spent]) == 1, "ringing spends nothing"
    lab.desk.request(other, m.Accept(id="ok", call=incoming["call"]))
    assert all(link.spent for link in lab.reception.links.of())


async def test_other_links_are_not_spent(lab: Lab):
    guest, _, _ = await lab.guest(lab.link()[1])
    lab.call(guest)
    ((_, _, sid),) = lab.proposes()
    lab.proceed(sid, guest.jid)
    assert not lab.reception.links.of()[0].spent


async def test_a_restart_keeps_guests_unless_their_link_is_gone():
    store, journal = MemoryStore(), MemoryJournal()
    lab = Lab(store=store, journal=journal)
    (_, code), (_, gone) = lab.link(), lab.link()
    guest, _, welcome = await lab.guest(code)
    await lab.guest(gone)
    store.delete(lab.reception.links.of()[1])
    again = Lab(store=store, journal=journal)
    again.desk.restore()
    again.reception.sweep()
    assert list(again.sessions.by_jid) == [guest.jid]
    session, _, second = await again.hello(resume=m.Resume(secret=welcome["resume"]))
    assert session.identity.guest and session.identity.relay_only and second["contacts"][0]["jid"] == BOB
    assert again.code_of(session, m.Ice(id="1", to="carol@im.test")) == "forbidden"


async def test_without_a_server_with_turn_no_guest_comes(lab: Lab):
    _, code = lab.link()
    lab.ice.has_turn = False
    with pytest.raises(EndpointError, match="TURN"):
        await lab.guest(code)


async def test_a_session_initiate_without_jmi_is_withheld_too(lab: Lab):
    """A peer without JMI is called by session-initiate; do-not-disturb holds that back as well."""
    guest, _, _ = await lab.guest(lab.link()[1])
    lab.reception.owners.set_dnd(BOB, True)
    features = frozenset({
        "urn:xmpp:jingle:1", "urn:xmpp:jingle:apps:rtp:1", "urn:xmpp:jingle:transports:ice-udp:1", "urn:xmpp:jingle:apps:dtls:0",
        "urn:xmpp:jingle:apps:rtp:audio", "urn:xmpp:jingle:apps:rtp:video",
    })  # fmt: skip
    lab.registry.peer_info = lambda own, peer: PeerInfo("", (PeerResource(f"{BOB}/old", features),))
    lab.sent.take()
    lab.call(guest)
    await settle()
    assert lab.sent.take() == [] and lab.registry.calls
    lab.desk.request(guest, m.Hangup(id="h", call="c1"))
    (missed,) = lab.sent.take()
    assert (missed.findtext(f"{{{NS}}}body") or "").startswith("Missed call from Anna"), "the maker reads of it later"
