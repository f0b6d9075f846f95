"""The service over a restart: sessions and calls come back together, and nothing is left when they have ended. DESIGN §5."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from world import FakeWire, World

from jinglebridge.store.journal import MemoryJournal
from jinglebridge.web import messages as m
from jinglebridge.web.sessions import Session
from tests.unit.cases import small
from tests.unit.fakes import DOMAIN, el, until

BOB = "bob@im.test"
PHONE = f"{BOB}/phone"
OFFER = m.Description(type="offer", sdp=small())
JMI = "xmlns='urn:xmpp:jingle-message:0'"
TERMINATE = "<jingle xmlns='urn:xmpp:jingle:1' action='session-terminate' sid='{}'><reason><success/></reason></jingle>"
ACCEPT = """<jingle xmlns='urn:xmpp:jingle:1' action='session-accept' sid='{}'><content creator='initiator' name='0'>
  <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'><payload-type id='111' name='opus' clockrate='48000' channels='2'/>
  <rtcp-mux/></description><transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='abcd' pwd='0123456789012345678901'>
  <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='active'>{}</fingerprint></transport></content></jingle>"""
PRINT = ":".join(["AB"] * 32)


def routed(world: World, text: str) -> None:
    world.router.route(el(text))


def message(world: World, inner: str, to: str) -> None:
    routed(world, f"<message type='chat' from='{PHONE}' to='{to}'>{inner}</message>")


def iq(world: World, inner: str, to: str) -> None:
    routed(world, f"<iq type='set' id='x' from='{PHONE}' to='{to}'>{inner}</iq>")


def acknowledge(world: World) -> None:
    """The peer answers all that it was asked."""
    for id, (to, _, _) in list(world.requests._open.items()):
        routed(world, f"<iq type='result' id='{id}' from='{to}' to='x@{DOMAIN}'/>")


async def talking(world: World, call: str = "c") -> tuple[Session, FakeWire, dict[str, Any]]:
    session, wire, welcome = await world.hello("anna", BOB)
    place(world, session, call)
    return session, wire, welcome


def place(world: World, session: Session, call: str) -> str:
    """A call that is up; its sid."""
    world.desk.request(session, m.CallRequest(id=f"r{call}", call=call, to=BOB, description=OFFER))
    sid = next(s.sid for s in world.registry.calls.values() if s.call == call)
    message(world, f"<proceed {JMI} id='{sid}'/>", session.jid)
    acknowledge(world)
    iq(world, ACCEPT.format(sid, PRINT), session.jid)
    return sid


def names(world: World) -> list[str]:
    """The last element of each stanza that left: JMI elements and Jingle actions."""
    stanzas = [e for e in world.sent.take() if len(e) and e.tag.endswith(("message", "iq"))]
    return [e[0].get("action") or e[0].tag.rpartition("}")[2] for e in stanzas]


async def restarted(before: World, **limits: Any) -> World:
    before.performer.gate.flush()
    after = World(before.store, before.journal, **limits)
    after.desk.restore()
    sessions = after.sessions.by_jid
    after.performer.perform(after.registry.restore(list(after.journal.calls()), sessions.__contains__, time.time()))
    return after


def owed(world: World) -> list[str]:
    """What the journal says that the peer has not acknowledged."""
    world.performer.gate.flush()
    return [item[1] for state in world.journal.calls() for item in state.unacked]


async def test_what_has_arrived_is_soon_owed_no_more():
    """By the next commit, whatever else happens in the call."""
    world = World()
    session, _, _ = await talking(world)
    acknowledge(world)
    assert owed(world) == []
    candidate = m.Candidate(candidate="candidate:1 1 udp 1 192.0.2.1 9 typ host", sdpMid="0")
    world.desk.request(session, m.AddCandidate(id="2", call="c", candidate=candidate))
    assert owed(world) == ["transport-info"]
    acknowledge(world)
    assert owed(world) == []
    world.desk.request(session, m.Hangup(id="3", call="c"))
    assert owed(world) == ["session-terminate"], "its finish has left"


async def test_a_call_and_its_page_come_back():
    before = World()
    session, _, welcome = await talking(before)
    after = await restarted(before)
    assert names(after) == [] and len(after.registry.calls) == 1
    page, wire, second = await after.hello(resume=m.Resume(secret=welcome["resume"], lastSeq=5))
    (call,) = second["calls"]
    assert (call["call"], call["state"], call["description"]["type"]) == ("c", "connecting", "answer")
    assert page.jid == session.jid and second["ended"] == []
    after.performer.perform(after.registry.reconnected(time.time()))
    assert names(after) == ["session-info"]
    after.desk.request(page, m.Stats(id="1", call="c", connectionState="connected", bytesReceived=5))
    assert after.desk._registry.calls and next(iter(after.registry.calls.values())).told == []
    after.desk.request(page, m.Hangup(id="2", call="c"))
    assert names(after) == ["session-terminate", "finish"] and wire.take("ended")[0]["reason"] == "ended"
    acknowledge(after)
    after.performer.gate.flush()
    assert list(after.journal.calls()) == []


async def test_why_a_call_ended_is_told_with_the_snapshot():
    before = World()
    session, _, welcome = await before.hello("anna", BOB)
    before.desk.request(session, m.CallRequest(id="1", call="c", to=BOB, description=OFFER))
    after = await restarted(before)
    assert names(after) == ["retract"]
    _, wire, second = await after.hello(resume=m.Resume(secret=welcome["resume"], lastSeq=5))
    assert second["calls"] == [] and [(e["call"], e["reason"]) for e in second["ended"]] == [("c", "failed")] and wire.frames == []


async def test_an_end_that_was_missed_is_told_with_the_snapshot_or_the_events():
    world = World()
    session, wire, welcome = await talking(world)
    session.wire = None
    world.desk.detached(session)
    sid = next(iter(world.registry.calls.values())).sid
    iq(world, TERMINATE.format(sid), session.jid)
    for _ in range(300):
        session.event(m.Draining())
    seen = wire.frames[-1]["seq"]
    _, _, second = await world.hello(resume=m.Resume(secret=welcome["resume"], lastSeq=seen))
    assert not second["resumed"] and [e["reason"] for e in second["ended"]] == ["ended"]
    session.confirm(session.seq)
    assert session.ended_since(0) == []


async def test_a_row_is_there_before_what_the_peer_remembers_leaves():
    """Whenever one of these leaves, a kill right then would find the call in the journal."""
    world = World()
    seen: list[tuple[str, bool]] = []
    send = world.sent.__class__.__call__

    def watch(stanza: Any) -> bool:
        sent = send(world.sent, stanza)
        element = world.sent[-1]
        if element.tag.endswith(("message", "iq")) and len(element):
            seen.append((element[0].get("action") or element[0].tag.rpartition("}")[2], bool(world.journal.rows)))
        return sent

    world.performer._send = watch
    world.requests._send = watch
    session, _, _ = await talking(world)
    world.desk.request(session, m.Hangup(id="2", call="c"))
    assert [name for name, _ in seen] == ["propose", "session-initiate", "session-terminate", "finish"]
    assert all(kept for _, kept in seen)


async def test_debts_of_an_ended_call_survive_a_restart_and_their_row_goes():
    before = World()
    session, _, _ = await talking(before)
    before.sent.up = False
    before.desk.request(session, m.Hangup(id="2", call="c"))
    before.requests.lost()
    after = await restarted(before)
    assert names(after) == [] and after.registry.calls == {} and len(after.registry.owing) == 1
    after.performer.perform(after.registry.reconnected(time.time()))
    assert names(after) == ["session-terminate", "finish"]
    acknowledge(after)
    after.performer.gate.flush()
    assert after.registry.owing == {} and after.journal.rows == {}


@pytest.mark.parametrize(("error", "kept"), [("service-unavailable", 1), ("bad-request", 0)])
async def test_an_end_that_nobody_got_is_owed_still(error: str, kept: int):
    world = World()
    session, _, _ = await talking(world)
    world.desk.request(session, m.Hangup(id="2", call="c"))
    condition = f"<error type='cancel'><{error} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    for id in list(world.requests._open):
        routed(world, f"<iq type='error' id='{id}' from='{PHONE}' to='{session.jid}'>{condition}</iq>")
    assert len(world.registry.owing) == kept


async def test_sessions_without_a_call_are_soon_offline_after_a_restart():
    before = World()
    session, _, _ = await before.hello("anna", BOB)
    after = await restarted(before, linger=0.01, resume=0.05)
    assert after.presence.shows(session.jid)
    await until(lambda: not after.presence.shows(session.jid))
    assert session.jid in after.sessions.by_jid
    await until(lambda: not after.sessions.by_jid)


async def test_a_call_whose_page_does_not_come_back_ends_and_then_its_presence():
    before = World()
    await talking(before)
    after = await restarted(before, linger=0.01, resume=0.05)
    await until(lambda: not after.sessions.by_jid)
    sent = [(e[0].get("action") or e[0].tag.rpartition("}")[2]) if e.tag.endswith("iq") else e.get("type") for e in after.sent]
    assert sent.index("session-terminate") < sent.index("unavailable")
    assert not after.registry.calls


async def test_after_many_calls_nothing_is_left():
    world = World(journal=MemoryJournal())
    world.registry.admission.limits = world.registry.admission.limits.__class__(attempts_per_caller=1000)
    world.registry.admission._callers.limit = 1000
    session, wire, _ = await world.hello("anna", BOB)
    for number in range(30):
        sid = place(world, session, f"c{number}")
        if number % 2:
            world.desk.request(session, m.Hangup(id=f"h{number}", call=f"c{number}"))
        else:
            iq(world, TERMINATE.format(sid), session.jid)
        acknowledge(world)
        session.confirm(session.seq)
    wire.frames.clear()
    world.desk.end(session)
    world.registry.sweep(time.time() + 61)
    world.performer.gate.flush()
    registry, desk, performer = world.registry, world.desk, world.performer
    owned = {
        registry: "calls endpoints owing _of_endpoint _of_peer _of_person _seen_by _ended _ended_ids changed",
        desk: "_timers _tasks",
        world.contacts: "_told",
        performer: "_timers",
        world.requests: "_open",
        world.sessions: "by_jid _by_bare _by_secret",
        world.presence: "_directed _shown",
        world.journal: "rows",
    }
    tables = {f"{type(owner).__name__}.{name}": getattr(owner, name) for owner, listed in owned.items() for name in listed.split()}
    assert {name: table for name, table in tables.items() if table} == {}
    assert len(performer.gate) == 0 and performer._timers == {}
    assert asyncio.all_tasks() == {asyncio.current_task()}
