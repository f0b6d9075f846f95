"""Stanzas become events of the engine: acks first, silence for messages, bounces and late proposes. J-047, J-051, J-070, J-077."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from world import SlowJournal, World

from jinglebridge.errors import TieBreak
from jinglebridge.jingle import build_jingle, parse_jingle
from jinglebridge.translate import sdp_to_xml
from jinglebridge.web import messages as m
from jinglebridge.xmpp.framing import Head
from tests.unit.cases import small
from tests.unit.fakes import DOMAIN, conditions, el, logged, settle

BOB = "bob@im.test"
PROPOSE = "<propose xmlns='urn:xmpp:jingle-message:0' id='{}'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose>"


@pytest.fixture
async def world() -> World:
    return World()


def message(to: str, inner: str, type: str = "chat", id: str = "m", sender: str = f"{BOB}/r") -> ET.Element:
    return el(f"<message type='{type}' id='{id}' from='{sender}' to='{to}'>{inner}</message>")


async def test_what_is_malformed_or_of_a_room_is_silence(world: World):
    session, wire, _ = await world.hello("anna")
    world.sent.take()
    for text in ("<propose xmlns='urn:xmpp:jingle-message:0'/>", "<propose xmlns='urn:xmpp:jingle-message:0' id='x'/>", "<body>x</body>"):
        world.router.route(message(session.bare, text))
    world.router.route(message(session.bare, PROPOSE.format("room"), type="groupchat"))
    world.router.route(message(session.bare, "<retract xmlns='urn:xmpp:jingle-message:0' id='unknown'/>"))
    assert world.sent == [] and wire.frames == [] and world.registry.calls == {}


@pytest.mark.parametrize(
    ("delay", "rings"),
    [
        ("", True),
        ("<delay xmlns='urn:xmpp:delay' stamp='2020-01-01T00:00:00Z'/>", False),
        ("<delay xmlns='urn:xmpp:delay' stamp='2020-01-01T00:00:00'/>", False),
        ("<delay xmlns='urn:xmpp:delay' stamp='2999-01-01T00:00:00Z'/>", True),
        ("<delay xmlns='urn:xmpp:delay' stamp='yesterday'/>", True),
        ("<delay xmlns='urn:xmpp:delay'/>", True),
    ],
)
async def test_an_old_propose_is_a_missed_call(world: World, delay: str, rings: bool):
    session, wire, _ = await world.hello("anna")
    world.router.route(message(session.bare, PROPOSE.format("p") + delay))
    assert [f["type"] for f in wire.take("incoming", "missed")] == (["incoming"] if rings else ["missed"])


async def test_the_receipt_names_the_message_that_asked_for_it(world: World):
    """J-057: from the page to the device that proposes, by the id of the stanza and not of the call."""
    session, _, _ = await world.hello("anna", BOB)
    world.sent.take()
    world.router.route(message(session.bare, PROPOSE.format("p") + "<request xmlns='urn:xmpp:receipts'/>", id="jm-propose-p"))
    (receipt, ringing) = world.stanzas("message")
    assert (receipt.get("from"), receipt.get("to")) == (ringing.get("from"), ringing.get("to")) == (session.jid, f"{BOB}/r")
    assert receipt[0].tag == "{urn:xmpp:receipts}received" and receipt[0].get("id") == "jm-propose-p"
    assert receipt.get("id") not in ("jm-propose-p", ringing.get("id"))


async def test_a_message_that_is_still_text_does_the_same(world: World):
    session, wire, _ = await world.hello("anna", BOB)
    world.sent.take()
    head = Head.of("message", "chat", f"{BOB}/r", session.bare)
    bad = "<propose xmlns='urn:xmpp:jingle-message:0' id=''/>"
    assert world.router.route_plain(head, "m", bad) and world.sent == [] and wire.frames == []
    odd = "<propose/>", "<no id='x'/>", PROPOSE.format("p") + "<delay xmlns='urn:xmpp:delay' stamp='2020-01-01T00:00:00Z'/>"
    assert not any(world.router.route_plain(head, "m", text) for text in odd)
    assert world.router.route_plain(head, "jm-propose-p", PROPOSE.format("p") + "<request xmlns='urn:xmpp:receipts'/>")
    (receipt, ringing) = world.stanzas("message")
    assert receipt[0].get("id") == "jm-propose-p" and ringing[0].tag == "{urn:xmpp:jingle-message:0}ringing"
    assert world.router.route_plain(head, "m", "<retract xmlns='urn:xmpp:jingle-message:0' id='p'/>")
    assert [f["type"] for f in wire.take("incoming", "ended")] == ["incoming", "ended"]


async def called(world: World):
    session, wire, _ = await world.hello("anna", BOB)
    world.sent.take()
    world.desk.request(session, m.CallRequest(id="1", call="c", to=BOB, description=m.Description(type="offer", sdp=small())))
    wire.take()
    return session, wire, world.stanzas("message")[0]


async def test_a_propose_that_bounces_ends_the_call(world: World):
    session, wire, propose = await called(world)
    error = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    world.router.route(message(session.jid, error, "error", propose.get("id"), "eve@im.test"))
    world.router.route(message(session.jid, error, "error", "guess", BOB))
    assert wire.take("ended") == [], "only from whom it was sent to, and only with its id"


@pytest.mark.parametrize(
    "condition",
    ["service-unavailable", "item-not-found", "remote-server-not-found", "remote-server-timeout", "not-acceptable", "forbidden"],
)
async def test_a_bounce_from_the_callee(world: World, condition: str):
    """J-045, J-047: at once, in the same words whatever it was. The error echoes the propose, as servers do."""
    session, wire, propose = await called(world)
    assert propose.get("to") == BOB and propose.get("type") == "chat"
    assert propose.find("{urn:xmpp:hints}store") is not None, "J-051"
    error = f"<error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    world.router.route(message(session.jid, PROPOSE.format(propose[0].get("id")) + error, "error", propose.get("id"), BOB))
    (ended,) = wire.take("ended")
    assert (ended["reason"], ended["text"]) == ("unreachable", "")
    assert world.registry.calls == {} and world.performer._timers == {}


async def test_a_page_that_is_not_to_be_disturbed_does_not_ring(world: World):
    """A contact hears busy, the person sees a missed call; and when it may be disturbed again it rings."""
    session, wire, _ = await world.hello("anna", BOB)
    for show, told in (("dnd", ["missed"]), ("away", ["incoming"])):
        world.desk.request(session, m.SetPresence(id=show, show=show))  # type: ignore[arg-type]
        world.sent.take()
        world.router.route(message(session.bare, PROPOSE.format(show)))
        assert [f["type"] for f in wire.take("incoming", "missed")] == told
        said = [e[0].tag.partition("}")[2] for e in world.stanzas("message")]
        assert said == (["reject"] if show == "dnd" else ["ringing"])


async def test_an_answer_of_silence_does_not_end_a_call(world: World):
    """The session-initiate's IQ gets no reply because the stream broke: nothing is known, so nothing is over."""
    session, wire, propose = await called(world)
    world.router.route(message(session.jid, f"<proceed xmlns='urn:xmpp:jingle-message:0' id='{propose[0].get('id')}'/>"))
    assert len(world.requests) == 1
    world.requests.lost()
    assert wire.take("ended") == []


async def test_jingle_is_acked_before_it_acts(world: World):
    session, _, propose = await called(world)
    world.router.route(message(session.jid, f"<proceed xmlns='urn:xmpp:jingle-message:0' id='{propose[0].get('id')}'/>"))
    world.sent.take()
    sid = propose[0].get("id")
    world.router.route(
        el(
            f"<iq type='set' id='t' from='{BOB}/r' to='{session.jid}'><jingle xmlns='urn:xmpp:jingle:1' "
            f"action='session-terminate' sid='{sid}'>"
            "<reason><success/></reason></jingle></iq>"
        )
    )
    first, *rest = world.sent.take()
    assert first.get("type") == "result" and [e[0].tag.partition("}")[2] for e in rest if len(e)] == ["finish"]


@pytest.mark.parametrize(("size", "wanted"), [(60_000, ("modify", "bad-request", None)), (70_000, ("wait", "resource-constraint", None))])
async def test_a_jingle_action_has_a_limit(world: World, size: int, wanted: tuple[str, str, str | None]):
    """J-011: 64 KiB. Below it the empty offer is looked at, and is none."""
    session, _, _ = await world.hello("anna", BOB)
    world.sent.take()
    big = f"<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='x'><x xmlns='urn:x'>{'x' * size}</x></jingle>"
    with logged():
        world.router.route(el(f"<iq type='set' id='1' from='{BOB}/r' to='{session.jid}'>{big}</iq>"))
    assert conditions(world.sent.take()[0]) == wanted


async def test_unknown_sessions_and_malformed_jingle(world: World):
    session, _, _ = await world.hello("anna")
    world.sent.take()
    for text, wanted in (
        ("<jingle xmlns='urn:xmpp:jingle:1' action='session-info' sid='x'/>", ("cancel", "item-not-found", "unknown-session")),
        ("<jingle xmlns='urn:xmpp:jingle:1' action='explode' sid='x'/>", ("modify", "bad-request", None)),
    ):
        with logged():
            world.router.route(el(f"<iq type='set' id='1' from='{BOB}/r' to='{session.jid}'>{text}</iq>"))
        assert conditions(world.sent.take()[0]) == wanted


async def test_a_stranger_sees_the_same_for_every_address(world: World):
    """Offline, unknown, and not allowed: J-007, J-043."""
    session, wire, _ = await world.hello("anna")
    world.sent.take()
    jingle = build_jingle(parse_jingle(ET.fromstring(sdp_to_xml(small()))))
    offer = ET.tostring(jingle, encoding="unicode")
    replies = []
    for to in (session.jid, f"{session.bare}/gone", f"nobody@{DOMAIN}/w"):
        world.router.route(el(f"<iq type='set' id='1' from='eve@far.test/r' to='{to}'>{offer}</iq>"))
        (reply,) = world.sent.take()
        replies.append((conditions(reply), [c.text for c in reply.iter()]))
    assert replies[0] == replies[1] == replies[2] and replies[0][0] == ("cancel", "service-unavailable", None)
    assert wire.frames == []


async def test_the_reject_of_a_tie_break_follows_the_propose_it_was_lost_to():
    """Ours waits for its commit; a client that got the reject first would take it for a person's. J-067."""
    journal = SlowJournal()
    world = World(journal=journal)
    session, _, _ = await world.hello("anna", BOB)
    world.sent.take()
    world.desk.request(session, m.CallRequest(id="1", call="c", to=BOB, description=m.Description(type="offer", sdp=small())))
    audio = "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/>"
    propose = f"<propose xmlns='urn:xmpp:jingle-message:0' id='zzzz'>{audio}</propose>"
    world.router.route(el(f"<message type='chat' id='m' from='{BOB}/r' to='{session.jid}'>{propose}</message>"))
    await settle()
    assert world.sent == []
    journal.release()
    await settle()
    ours, reject = world.sent.take()[-2:]
    assert [e.tag.partition("}")[2] for stanza in (ours, reject) for e in stanza if "jingle-message" in e.tag] == ["propose", "reject"]


async def test_the_error_of_a_tie_break_follows_what_it_was_lost_to(monkeypatch: pytest.MonkeyPatch):
    """Our offer waits for its commit; a client that got the error first would take it for an answer. J-221."""
    journal = SlowJournal()
    world = World(journal=journal)
    session, _, _ = await world.hello("anna", BOB)
    world.sent.take()
    world.desk.request(session, m.CallRequest(id="1", call="c", to=BOB, description=m.Description(type="offer", sdp=small())))

    def lost(*_: object) -> list[object]:
        raise TieBreak("ours goes on")

    monkeypatch.setattr(world.registry, "from_peer", lost)
    request = "<iq type='set' id='t' from='{}/r' to='{}'><jingle xmlns='urn:xmpp:jingle:1' action='transport-info' sid='s'/></iq>"
    world.router.route(el(request.format(BOB, session.jid)))
    await settle()
    assert world.sent == []
    journal.release()
    await settle()
    propose, error = world.sent.take()[-2:]
    assert propose.tag.endswith("}message") and conditions(error) == ("cancel", "conflict", "tie-break")
    world.router.route(el(request.format(BOB, session.jid)))
    assert [conditions(e)[2] for e in world.sent.take()] == ["tie-break"], "at once when nothing waits"
