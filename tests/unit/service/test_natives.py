"""Pages with an XMPP connection of their own: the same sessions as by WebSocket, in IQs. Issue "The web side", item 6."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import Any
from xml.sax.saxutils import escape

import pytest

from jinglebridge.calls.admission import Policy
from jinglebridge.service import native_line
from jinglebridge.service import natives as module
from jinglebridge.service.natives import Natives
from jinglebridge.web.frames import MAX_FRAME
from jinglebridge.web.sessions import Session
from jinglebridge.xmpp import native
from jinglebridge.xmpp.stanza import NS
from tests.unit.cases import CASES
from tests.unit.fakes import DOMAIN, conditions, el, logged, settle, until
from tests.unit.service.world import World as Bridge

ANNA = "anna@im.test/web"
OWN = "anna\\40im.test"
IQ = f"{{{NS}}}iq"
Frame = dict[str, Any]


class World(Bridge):
    """A bridge, and pages at XMPP addresses. What `takes` does not look at is answered as a page answers it."""

    def __init__(self, servers: frozenset[str] = frozenset({"im.test", "other.test"}), **limits: Any) -> None:
        super().__init__(**limits)
        self.natives = Natives(self.desk, self.sent, self.requests, DOMAIN, servers)
        self.natives.register(self.router)
        self.reception.gone = self.natives.gone
        self.number = 0

    def iq(self, payload: str, sender: str = ANNA, to: str = DOMAIN, type: str = "set") -> str:
        self.number += 1
        self.router.route(el(f"<iq type='{type}' id='iq{self.number}' from='{sender}' to='{to}'>{payload}</iq>"))
        return f"iq{self.number}"

    def say(self, text: str | Frame, sender: str = ANNA) -> str:
        """Send a frame; the id of its IQ."""
        text = text if isinstance(text, str) else json.dumps(text)
        return self.iq(f"<frame xmlns='{native.NS}'>{escape(text)}</frame>", sender)

    def answers(self) -> dict[str, ET.Element]:
        """What our IQs got, by id. All else stays."""
        taken = self.sent.take()
        self.sent.extend(e for e in taken if e.tag != IQ or e.get("type") not in ("result", "error"))
        return {str(e.get("id")): e for e in taken if e.tag == IQ and e.get("type") in ("result", "error")}

    def asked(self, to: str = ANNA) -> list[ET.Element]:
        """IQs to the page. All else is gone."""
        return [e for e in self.sent.take() if e.tag == IQ and e.get("type") == "set" and e.get("to") == to]

    def acks(self, *iqs: ET.Element, error: str = "") -> None:
        for iq in iqs:
            kind = "error" if error else "result"
            inner = f"<error type='cancel'><{error} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>" if error else ""
            self.router.route(el(f"<iq type='{kind}' id='{iq.get('id')}' from='{iq.get('to')}' to='{DOMAIN}'>{inner}</iq>"))

    def gets(self, id: str) -> Frame:
        """The frame that an IQ got, which must have come by now."""
        answers = self.answers()
        assert list(answers) == [id], [ET.tostring(answer) for answer in answers.values()]
        (answer,) = answers.values()
        if answer.get("type") == "error":
            frame = json.loads(answer.findtext(f"{{{NS}}}error/{native.FRAME}") or "")
            assert conditions(answer)[:2] == native.CONDITIONS[frame["code"]]
            return frame  # type: ignore[no-any-return]
        return frame_of(answer)

    def condition(self, id: str) -> str:
        """Of the error that an IQ got."""
        return conditions(self.answers()[id])[1]

    async def hello_by(self, sender: str = ANNA, **fields: Any) -> tuple[Session, Frame]:
        """(the session, its welcome)."""
        id = self.say({"type": "hello", "id": "h", "version": 1, **fields}, sender)
        await settle()
        welcome = self.gets(id)
        assert welcome["type"] == "welcome", welcome
        return self.sessions.by_jid[welcome["jid"]], welcome

    def leaves(self, sender: str = ANNA, type: str = "unavailable") -> None:
        self.router.route(el(f"<presence type='{type}' from='{sender}' to='{DOMAIN}'/>"))


def frame_of(iq: ET.Element) -> Frame:
    return json.loads(iq.findtext(native.FRAME) or "")  # type: ignore[no-any-return]


def events(iqs: list[ET.Element]) -> list[Frame]:
    return [frame_of(iq) for iq in iqs]


@pytest.fixture
async def world() -> World:
    return World()


def offer() -> str:
    return (CASES / "translate/chromium-156-av.sdp").read_text()


# --- who


async def test_the_address_is_the_name(world: World):
    session, welcome = await world.hello_by(name="Anna A.", video=False)
    assert welcome["jid"].startswith(f"{OWN}@{DOMAIN}/w-") and welcome["name"] == "Anna A." and not welcome["resumed"]
    assert (session.identity.way, session.video, session.identity.contacts, session.identity.may_call) == (
        "xmpp:anna@im.test",
        False,
        (),
        (),
    )
    _, other = await world.hello_by("anna@im.test/phone")
    assert other["name"] == "anna" and other["jid"] != welcome["jid"] and other["jid"].startswith(f"{OWN}@"), "one person, two pages"
    _, third = await world.hello_by("d\\20artagnan@other.test/x")
    assert third["jid"].startswith(f"d\\5c20artagnan\\40other.test@{DOMAIN}/") and third["name"] == "d artagnan"


async def test_who_is_called_like_a_guest_is_none(world: World):
    """Others reach them as anybody."""
    session, _ = await world.hello_by("guest-bob@im.test/web")
    other, _ = await world.hello_by("bob@im.test/web")
    ids = [
        world.iq("<query xmlns='http://jabber.org/protocol/disco#info'/>", sender="romeo@im.test/phone", to=to, type="get")
        for to in (session.jid, other.jid)
    ]
    answers = world.answers()
    assert [answers[id].get("type") for id in ids] == ["result", "result"]
    with logged() as lines:
        world.router.route(el(f"<presence from='romeo@im.test/phone' to='{session.bare}'/>"))
        world.router.route(el(f"<presence type='subscribe' from='romeo@im.test' to='{session.bare}'/>"))
    assert lines == []
    told = [frame_of(iq) for iq in world.asked("guest-bob@im.test/web")]
    assert [frame["contact"]["jid"] for frame in told if frame["type"] == "contact"] == ["romeo@im.test"], "guests hear of no requests"


@pytest.mark.parametrize(
    ("sender", "to"),
    [
        ("eve@evil.test/x", DOMAIN), ("im.test", DOMAIN), ("im.test/x", DOMAIN), ("anna@im.test", DOMAIN), (f"web@{DOMAIN}/w-1", DOMAIN),
        (ANNA, f"echo@{DOMAIN}"), (ANNA, f"{DOMAIN}/x"), ("a" * 300 + "@im.test/x", f"x@{DOMAIN}"),
    ],
)  # fmt: skip
async def test_strangers_see_what_they_would_see_without_it(world: World, sender: str, to: str):
    hello = f"<frame xmlns='{native.NS}'>{json.dumps({'type': 'hello', 'id': 'h', 'version': 1})}</frame>"
    unknown = world.iq("<frame xmlns='urn:unknown:0'/>", sender, to)
    id = world.iq(hello, sender, to)
    answers = world.answers()
    assert ET.tostring(answers[unknown]).replace(unknown.encode(), id.encode()) == ET.tostring(answers[id])
    assert world.sessions.by_jid == {} and world.sent == []


async def test_without_servers_there_is_no_such_namespace():
    world = World(frozenset({DOMAIN}))
    assert not world.natives.open and not world.natives.lets_in("anna@im.test")
    id = world.say({"type": "hello", "id": "h", "version": 1})
    assert world.condition(id) == "service-unavailable"


async def test_who_is_blocked_is_not_let_in(world: World):
    world.natives.blocked = {"anna@im.test"}.__contains__
    id = world.say({"type": "hello", "id": "h", "version": 1})
    assert world.condition(id) == "service-unavailable"


async def test_what_is_no_good_hello(world: World):
    for fields, code in (
        ({"version": 2}, "bad-version"), ({"version": 1, "token": "x"}, "bad-frame"), ({"version": 1, "code": "x"}, "bad-frame"),
        ({"version": 1, "device": "x"}, "bad-frame"), ({}, "bad-frame"),
    ):  # fmt: skip
        id = world.say({"type": "hello", "id": "h"} | fields)
        await settle()
        answer = world.gets(id)
        assert (answer["code"], answer["id"]) == (code, "h"), fields
    id = world.say({"type": "ping", "id": "p"})
    assert world.gets(id)["code"] == "hello-first", "none of them left anything"
    id = world.say('{"type":"ping","id":"h","version":1,"type":"hello"}')
    await settle()
    assert world.gets(id)["code"] == "bad-frame"
    id = world.say({"type": "hello", "id": "h", "version": 1}, "a" * 300 + "@im.test/x")
    assert world.gets(id)["code"] == "not-authorized", "no local part holds this address"
    world.desk.draining = True
    id = world.say({"type": "hello", "id": "h", "version": 1}, "bob@im.test/x")
    await settle()
    assert world.gets(id)["code"] == "draining"
    assert world.sessions.by_jid == {}


async def test_a_bug_in_hello_is_told_without_its_text(world: World, monkeypatch: pytest.MonkeyPatch):
    async def broken(*about: Any) -> Session:
        raise RuntimeError("secret")

    monkeypatch.setattr(world.desk, "hello", broken)
    with logged() as lines:
        id = world.say({"type": "hello", "id": "h", "version": 1})
        await settle()
    answer = world.gets(id)
    assert answer["code"] == "internal" and "secret" not in answer["message"] and lines[0]["event"] == "hello-failed"


# --- frames


async def test_each_iq_has_the_answer_to_its_frame(world: World):
    session, _ = await world.hello_by()
    assert world.gets(world.say({"type": "ping", "id": "1"})) == {"type": "pong", "id": "1"}
    assert world.gets(world.say({"type": "presence", "id": "2", "show": "away"})) == {"type": "ack", "id": "2"}
    assert session.show == "away"
    assert world.gets(world.say({"type": "presence", "id": "2", "show": "dnd"})) == {"type": "ack", "id": "2"}, "repeated, not done again"
    assert session.show == "away"
    call = {"type": "call", "id": "3", "call": "c", "to": "bob@im.test", "description": {"type": "offer", "sdp": offer()}}
    answer = world.gets(world.say(call))
    assert (answer["code"], answer["id"]) == ("forbidden", "3"), "nobody is a contact by being on the same server"
    history = world.say({"type": "history", "id": "4"})
    await settle()
    assert world.gets(history)["type"] == "history"
    ice = world.say({"type": "ice", "id": "5", "to": "bob@im.test"})
    await settle()
    assert world.answers() == {}, "it is being looked up"
    world.requests.lost()
    await settle()
    assert world.gets(ice)["type"] == "ice"
    assert world.gets(world.say({"type": "devices", "id": "6"})) == {"type": "devices", "id": "6", "devices": []}
    assert world.asked() == [], "what adds nothing to an answer is not sent"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "bad-frame"), ("{", "bad-frame"), ('{"type":"ping"}', "bad-frame"), ('{"type":"pinge","id":"1"}', "unknown-type"),
        ('{"type":"ping","id":5}', "bad-frame"), ('{"type":"ping","id":"' + "x" * 65 + '"}', "bad-frame"),
        ("[" * 1000, "bad-frame"), ('{"type":"ping","id":"1","x":' + "[" * 17 + "]" * 17 + "}", "bad-frame"),
        ('{"type":"ping","id":"1","x":"' + "x" * MAX_FRAME + '"}', "too-big"), ('{"type":"hello","id":"1"', "bad-frame"),
        ('{"type":"accept","id":"1","call":"none"}', "unknown-call"),
    ],
)  # fmt: skip
async def test_wrong_frames_get_an_error_and_nothing_else_happens(world: World, text: str, code: str):
    session, _ = await world.hello_by()
    answer = world.gets(world.say(text))
    assert answer["type"] == "error" and answer["code"] == code
    assert world.gets(world.say({"type": "ping", "id": "p"})) == {"type": "pong", "id": "p"}
    assert session.wire is not None and world.asked() == []


async def test_xml_that_is_no_frame(world: World):
    await world.hello_by()
    for payload in (f"<frame xmlns='{native.NS}'><x/></frame>", f"<frame xmlns='{native.NS}' a='b'>x</frame>"):
        assert world.condition(world.iq(payload)) == "bad-request"
    assert world.condition(world.iq(f"<frame xmlns='{native.NS}'/>", type="get")) == "bad-request"
    assert world.condition(world.iq(f"<close xmlns='{native.NS}' code='1000'/>")) == "service-unavailable"
    assert world.condition(world.iq(f"<frame xmlns='{native.NS}'>{'x' * 140_000}</frame>")) == "policy-violation"


async def test_a_frame_before_the_welcome_waits_for_nothing(world: World):
    world.say({"type": "hello", "id": "h", "version": 1})
    early = world.say({"type": "ping", "id": "1"})
    assert world.gets(early)["code"] == "hello-first"
    await settle()
    assert len(world.sessions.by_jid) == 1


async def test_who_sends_too_much_is_slowed_down(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(world.natives, "now", lambda: 1000.0)  # all of it at once, however slow this machine is
    await world.hello_by()
    codes = [world.gets(world.say({"type": "ping", "id": "p"})).get("code") for _ in range(500)]
    assert codes == [None] * 399 + ["rate-limited"] * 101, "the hello was the first"
    _, welcome = await world.hello_by("bob@im.test/x")
    assert welcome["jid"], "others are not"


async def test_hellos_are_counted(world: World):
    codes = []
    for number in range(module.HELLOS + 1):
        id = world.say({"type": "hello", "id": "h", "version": 1}, f"anna@im.test/{number % 3}")
        await settle()
        codes.append(world.gets(id).get("code"))
    assert codes == [None] * module.HELLOS + ["rate-limited"]
    assert len(world.sessions.of(f"{OWN}@{DOMAIN}")) == world.config.limits.sockets_per_person, "sessions without a page gave way"


async def test_requests_that_take_their_time_are_counted(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(native_line, "MAX_OPEN", 2)
    session, _ = await world.hello_by()
    ids = [world.say({"type": "ice", "id": str(n), "to": "bob@im.test"}) for n in range(3)]
    assert world.gets(ids[2])["code"] == "rate-limited"
    assert session.wire is not None
    session.wire.close(4000, "resumed elsewhere")
    answers = world.answers()
    assert set(answers) == set(ids[:2]) and all(conditions(a)[1] == "unexpected-request" for a in answers.values()), "none stays open"


# --- events


async def test_events_are_acknowledged(world: World):
    session, _ = await world.hello_by()
    session.event(module.m.Draining())
    session.event(module.m.Draining())
    first, second = world.asked()
    assert [first.get("from"), *(f["seq"] for f in events([first, second]))] == [DOMAIN, 1, 2]
    assert session.wire is not None and session.wire.waiting() > 0
    world.acks(second)
    assert len(session.replay(0)) == 2, "the first may be lost yet"
    world.acks(first)
    assert session.replay(0) == [] and session.wire.waiting() == 0
    world.acks(first, second)
    assert world.sent == [], "an answer gets no answer"


async def test_a_call_and_its_end(world: World, monkeypatch: pytest.MonkeyPatch):
    """The frames of a call, from the offer to the hang-up, and what the other side sees: the escaped address."""
    policy = Policy(DOMAIN, frozenset({"im.test"}), outgoing="servers")
    monkeypatch.setattr(world.registry.admission, "policy", policy)
    session, _ = await world.hello_by()
    world.sent.clear()
    call = {"type": "call", "id": "1", "call": "c", "to": "bob@im.test", "description": {"type": "offer", "sdp": offer()}}
    id = world.say(call)
    await settle()
    proposes = [e for e in world.sent if e.tag.endswith("}message")]
    assert [(e.get("from"), e.get("to")) for e in proposes] == [(session.jid, "bob@im.test")]
    assert world.gets(id) == {"type": "ack", "id": "1"}
    iqs = world.asked()
    world.acks(*iqs)
    id = world.say({"type": "hangup", "id": "2", "call": "c"})
    await settle()
    ended = [f for f in events(world.asked()) if f["type"] == "ended"]
    assert [f["call"] for f in ended] == ["c"]


# --- pages that leave and come back


@pytest.mark.parametrize("how", ["unavailable", "error", "bare", "bounce", "link"])
async def test_a_page_that_left_can_resume(world: World, how: str):
    session, welcome = await world.hello_by()
    session.event(module.m.Draining())
    (iq,) = world.asked()
    if how == "bounce":
        world.acks(iq, error="service-unavailable")
    elif how == "link":
        world.natives.lost()
    else:
        world.leaves("anna@im.test" if how == "bare" else ANNA, "error" if how == "error" else "unavailable")
    await settle()
    assert session.wire is None and session.jid in world.desk._timers, "as a socket that is gone"
    assert world.asked() == [], "nobody is there to be told"
    world.acks(iq)
    assert world.gets(world.say({"type": "ping", "id": "p"}))["code"] == "hello-first"
    again = "anna@im.test/another"
    resumed, second = await world.hello_by(again, resume={"secret": welcome["resume"], "lastSeq": 0})
    assert resumed is session and second["resumed"] and session.jid not in world.desk._timers
    assert [f["seq"] for f in events(world.asked(again))] == [1]
    world.leaves()
    world.leaves(f"eve@{DOMAIN}/x")
    await settle()
    assert session.wire is not None, "that is not where it is now"


async def test_a_page_that_does_not_answer_is_told_to_resume(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "ACK_WITHIN", 0.01)
    session, _ = await world.hello_by()
    session.event(module.m.Draining())
    await until(lambda: session.wire is None)
    _, closed = world.asked()
    assert closed[0].tag == f"{{{native.NS}}}close" and closed[0].get("code") == "1013"
    world.acks(closed, error="service-unavailable")
    assert world.sent == []


async def test_a_page_that_reads_too_slowly(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(native_line, "MAX_QUEUE", 100)
    session, _ = await world.hello_by()
    for _ in range(5):
        session.event(module.m.Draining())
    await settle()
    codes = [iq[0].get("code") for iq in world.asked()]
    assert session.wire is None and codes.count("1013") == 1 and len(codes) < 6


async def test_a_silent_page_is_asked_whether_it_is_there(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "PULSE", 0.01)
    monkeypatch.setattr(native_line, "ASK_AFTER", 0.03)
    session, _ = await world.hello_by()
    for _ in range(2):
        (asked,) = await until(world.asked)
        assert asked[0].tag == native.FRAME and not asked[0].text and session.wire is not None
        world.acks(asked)
    (asked,) = await until(world.asked)
    world.acks(asked, error="service-unavailable")
    await settle()
    assert session.wire is None
    world.natives._allowances.clear()
    await until(lambda: world.natives._timer is None)
    await world.hello_by(ANNA)
    world.natives.stop()
    world.natives.stop()
    assert world.natives._timer is None


async def test_the_same_resource_says_hello_again(world: World):
    """A page was loaded anew before the server noticed: the new one gets the session, and is not told that it was resumed elsewhere."""
    session, welcome = await world.hello_by()
    resumed, _ = await world.hello_by(resume={"secret": welcome["resume"], "lastSeq": 0})
    await settle()
    assert resumed is session and session.wire is not None and world.asked() == []
    other, _ = await world.hello_by()
    await settle()
    assert other is not session and session.wire is None and session.jid in world.desk._timers


async def test_a_session_is_resumed_from_its_own_address_only(world: World):
    session, welcome = await world.hello_by()
    stolen = {"secret": welcome["resume"], "lastSeq": 0}
    other, second = await world.hello_by("eve@im.test/web", resume=stolen)
    assert other is not session and not second["resumed"] and second["calls"] == [] and second["jid"].startswith("eve\\40im.test@")
    web, _, _ = await world.hello("carl")
    secret = world.sessions.next_secret(web)
    other, second = await world.hello_by("eve@im.test/phone", resume={"secret": secret, "lastSeq": 0})
    assert other is not web and not second["resumed"]
    assert (await world.hello_by("anna@im.test/b", resume=stolen))[0] is session, "and it was not spent"


async def test_resumed_elsewhere_and_revoked(world: World):
    session, welcome = await world.hello_by()
    await world.hello_by("anna@im.test/b", resume={"secret": welcome["resume"], "lastSeq": 0})
    (closed,) = world.asked()
    assert (closed[0].get("code"), closed[0].text) == ("4000", "resumed elsewhere")
    assert world.desk.revoke("xmpp:anna@im.test") == 1
    await settle()
    (closed,) = world.asked("anna@im.test/b")
    assert closed[0].get("code") == "4002" and session.jid not in world.sessions.by_jid


async def test_bye(world: World):
    session, _ = await world.hello_by()
    assert world.gets(world.say({"type": "bye", "id": "b"})) == {"type": "ack", "id": "b"}
    await settle()
    assert session.jid not in world.sessions.by_jid and world.asked() == []


async def test_a_page_that_leaves_before_its_welcome(world: World):
    id = world.say({"type": "hello", "id": "h", "version": 1})
    world.leaves()
    await settle()
    assert world.gets(id)["code"] == "hello-first"
    (session,) = world.sessions.by_jid.values()
    assert session.wire is None and session.jid in world.desk._timers
    world.desk.draining = True
    world.say({"type": "hello", "id": "h", "version": 1})
    world.leaves()
    await settle()
    assert len(world.answers()) == 1


async def test_a_new_secret_is_settled_by_the_first_frame(world: World):
    session, welcome = await world.hello_by()
    await world.hello_by(resume={"secret": welcome["resume"], "lastSeq": 0})
    assert session.previous_hash
    world.gets(world.say({"type": "ping", "id": "p", "seq": 0}))
    assert not session.previous_hash and world.sessions.find(welcome["resume"]) is None
