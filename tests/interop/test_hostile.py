"""A good call runs while everything hostile arrives beside it: each gets its proper error, and the call does not notice.

Deeply nested XML is not sent through a server here (it could harm others): `tests/unit/xmpp/test_guard.py` feeds it to the parser.

Spec: DESIGN §5; J-076 … J-082, J-244 … J-254.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import pytest
from playwright.sync_api import sync_playwright

from jinglebridge.demo.handset import Handset
from jinglebridge.demo.lab import Ejabberd
from jinglebridge.web import messages as m

from .bridge import BridgeProcess
from .browser import Person, person
from .raw import RawPage, RawXmpp, answer
from .servers import unique_user
from .test_contact import hears, two_tones

JINGLE = "{urn:xmpp:jingle:1}jingle"
PRINT = ":".join(["AB"] * 32)
UNKNOWN = ("cancel", "item-not-found", "unknown-session")
OUT_OF_ORDER = ("wait", "unexpected-request", "out-of-order")
BAD = ("modify", "bad-request")
RTP = (
    "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'><payload-type id='111' name='opus' clockrate='48000' channels='2'/>{}"
    "<rtcp-mux/></description>"
)
ICE = "<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='abcd' pwd='hostilepwdhostilepwdhost'>{}</transport>"
FINGERPRINT = f"<fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='actpass'>{PRINT}</fingerprint>"
KEY = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
CRYPTO = f"<encryption required='1'><crypto crypto-suite='AES_CM_128_HMAC_SHA1_80' key-params='inline:{KEY}' tag='1'/></encryption>"


def content(description: str = RTP.format(""), transport: str = ICE.format(FINGERPRINT), name: str = "0") -> str:
    return f"<content creator='initiator' name='{name}'>{description}{transport}</content>"


def jingle(action: str, sid: str, inner: str = "") -> str:
    return f"<jingle xmlns='urn:xmpp:jingle:1' action='{action}' sid='{sid}'>{inner}</jingle>"


def jmi(kind: str, id: str, inner: str = "") -> str:
    return f"<{kind} xmlns='urn:xmpp:jingle-message:0' id='{id}'>{inner}</{kind}>"


AUDIO = "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/>"


def offer(*extra: str) -> str:
    lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0",
             "a=ice-ufrag:ufra",
             "a=ice-pwd:hostilepwdhostilepwdhost", f"a=fingerprint:sha-256 {PRINT}", "a=setup:actpass", "a=mid:0", "a=sendrecv",
             "a=rtcp-mux",
             "a=rtpmap:111 opus/48000/2", *extra]  # fmt: skip
    return "\r\n".join(lines) + "\r\n"


# The ICE passwords and TURN credentials of the page's call.
SECRETS = """() => {
  const pc = window.jinglebridge.call.peerConnection
  const passwords = [pc.localDescription, pc.remoteDescription].flatMap(d => [...d.sdp.matchAll(/a=ice-pwd:(\\S+)/g)].map(m => m[1]))
  return [...passwords, ...pc.getConfiguration().iceServers.flatMap(s => s.credential ? [s.credential] : [])]
}"""


class GoodCall:
    """What the innocent see."""

    def __init__(self, page: Person, contact: Handset) -> None:
        self.page, self.contact = page, contact
        call = contact.report(log=False)["call"]
        self.sid: str = call["sid"]
        self.page_jid: str = call["peer"]

    def flows(self) -> None:
        before, stats = self.contact.report(log=False)["packets"]["audio"], self.page.stats()
        self.contact.until(lambda r: r["packets"]["audio"] > before + 20)
        ends = time.monotonic() + 15  # the page counts a little later, and on a busy machine much later
        while self.page.stats()["audioPackets"] <= stats["audioPackets"] + 10:
            assert time.monotonic() < ends, "the page hears nothing any more"
            time.sleep(0.1)
        assert self.contact.report(log=False)["call"]["state"] == "connected"


class Stage:
    """One bridge with its good call, its hostile XMPP account, and a hostile web session in a thread of its own."""

    def __init__(self, bridge: BridgeProcess, server: Ejabberd, good: GoodCall) -> None:
        self.bridge, self.server, self.good = bridge, server, good
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._session: aiohttp.ClientSession | None = None

    def run(self, work: Any) -> Any:
        """Run a coroutine in the thread (this one belongs to Playwright)."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _page(self, user: str, contacts: tuple[str, ...]) -> tuple[RawPage, str]:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        socket = await self._session.ws_connect(self.bridge.url + "/ws", protocols=(m.PROTOCOL,), max_msg_size=0)
        page = RawPage(socket)
        return page, await page.hello(self.bridge.token(user, *contacts))

    def page(self, user: str, *contacts: str) -> tuple[RawPage, str]:
        page, jid = self.run(self._page(user, contacts))
        return page, jid

    def close(self) -> None:
        if self._session is not None:
            self.run(self._session.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="module")
def stage(ejabberd: Ejabberd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("hostile")
    tones = two_tones()
    with contextlib.ExitStack() as stack:
        bridge = BridgeProcess(folder / "bridge", ejabberd, limits={"calls_per_minute": 30})
        stack.callback(bridge.close)
        contact = stack.enter_context(Handset(ejabberd, unique_user("good"), "--auto", "accept", "--tone", str(tones[1])))
        playwright = stack.enter_context(sync_playwright())
        page = stack.enter_context(person(playwright, folder, tones[0]))
        page.open(bridge.link(unique_user("alice"), contact.jid))
        page.press(f"Call {contact.user}")
        page.connected()
        contact.until(hears(tones[0]))
        stage = Stage(bridge, ejabberd, GoodCall(page, contact))
        stack.callback(stage.close)
        yield stage
        # The good call has outlived it all, and ends as calls end.
        stage.good.flows()
        page.hears_tone(tones[1])
        contact.until(hears(tones[0]))
        hidden = page.page.evaluate(SECRETS)
        page.press("Hang up")
        assert contact.wait("ended")["reason"] == "peer: success"
        assert page.problems == []
        assert contact.report()["violations"] == []
        assert bridge.calls() == []
        for line in map(json.loads, bridge.log().splitlines()):
            assert "exception" not in line and line["level"] not in ("error", "critical"), line
        assert len(hidden) >= 3, "the ICE passwords of both sides, and TURN's"
        for secret in {*hidden, ejabberd.secret, bridge.token_secret, "hostilepwdhostilepwdhost"}:
            assert len(secret) >= 8 and secret not in bridge.log()


@pytest.fixture(autouse=True)
def the_good_call_goes_on(stage: Stage) -> Iterator[None]:
    """After each attack."""
    yield
    stage.good.flows()


@pytest.fixture
def mallory(stage: Stage) -> Iterator[RawXmpp]:
    with RawXmpp(stage.server, unique_user("mallory")) as client:
        yield client


@pytest.fixture
def carol(stage: Stage) -> Iterator[tuple[RawPage, str]]:
    """A web session that belongs to nobody in the good call."""
    page, jid = stage.page(unique_user("carol"))
    yield page, jid
    stage.run(page.socket.close())


MALFORMED: list[tuple[str, Callable[[str], str], tuple[str, ...]]] = [
    ("unknown action", lambda sid: jingle("session-explode", sid), BAD),
    ("no action", lambda sid: f"<jingle xmlns='urn:xmpp:jingle:1' sid='{sid}'/>", BAD),
    ("no sid", lambda sid: "<jingle xmlns='urn:xmpp:jingle:1' action='session-terminate'/>", BAD),
    (
        "wrong namespace",
        lambda sid: "<jingle xmlns='urn:xmpp:jingle:0' action='session-terminate' sid='x'/>",
        ("cancel", "service-unavailable"),
    ),
    ("two payloads", lambda sid: jingle("session-terminate", sid) * 2, BAD),
    ("no payload", lambda sid: "", BAD),
    ("too many contents", lambda sid: jingle("session-initiate", sid, "".join(content(name=str(n)) for n in range(17))), BAD),
    ("nothing in it", lambda sid: jingle("session-initiate", "new-" + sid), BAD),
    ("content without parts", lambda sid: jingle("session-initiate", "new2-" + sid, "<content creator='initiator' name='0'/>"), BAD),
    ("session-info of no session", lambda sid: jingle("session-info", "nothing"), UNKNOWN),
    ("transport-info of no session", lambda sid: jingle("transport-info", "nothing", content()), UNKNOWN),
]


def test_malformed_jingle(stage: Stage, mallory: RawXmpp) -> None:
    target, sid = stage.good.page_jid, stage.good.sid
    found = {name: answer(mallory.ask(make(sid), to=target)) for name, make, _ in MALFORMED}
    assert found == {name: wanted for name, _, wanted in MALFORMED}
    assert answer(mallory.ask(jingle("session-terminate", sid), to=target, kind="get")) == BAD


@pytest.mark.parametrize("who", ["another account", "another device of the peer"])
def test_nobody_else_can_touch_the_call(stage: Stage, mallory: RawXmpp, who: str) -> None:
    good = stage.good
    with contextlib.ExitStack() as stack:
        thief = mallory
        if who != "another account":
            thief = stack.enter_context(RawXmpp(stage.server, good.contact.user, register=False))
        actions = (
            "session-terminate",
            "session-info",
            "session-accept",
            "transport-info",
            "content-remove",
            "content-add",
            "transport-replace",
        )
        for action in actions:
            reply = thief.ask(jingle(action, good.sid, content() if "content" in action or "transport" in action else ""), to=good.page_jid)
            assert answer(reply) == UNKNOWN, action
        for kind in ("retract", "finish", "reject", "proceed", "accept", "ringing"):
            for to in (good.page_jid, good.page_jid.partition("/")[0]):
                thief.send(f"<message type='chat' to='{to}'>{jmi(kind, good.sid)}</message>")
        # Answers to questions nobody asked, and errors that echo the call: never answered.
        for kind in ("result", "error"):
            thief.send(f"<iq type='{kind}' id='x' to='{good.page_jid}'>{jingle('session-terminate', good.sid)}</iq>")
        thief.send(f"<message type='error' to='{good.page_jid}'>{jmi('propose', good.sid)}</message>")
        thief.silent(0.5, lambda e: e.get("from", "").startswith(good.page_jid.partition("/")[0]) and not e.tag.endswith("presence"))


def test_offers_that_cannot_be_carried(stage: Stage, mallory: RawXmpp, carol: tuple[RawPage, str]) -> None:
    """Acked, then ended with the reason; the page never hears of them. J-082, J-129."""
    page, target = carol
    offers = {
        "security-error": content(RTP.format(CRYPTO), ICE.format("")),
        "unsupported-applications": content("<description xmlns='urn:xmpp:jingle:apps:file-transfer:5'/>"),
        "unsupported-transports": content(transport="<transport xmlns='urn:xmpp:jingle:transports:ibb:1' sid='x' block-size='4096'/>"),
        "failed-transport": content(transport=f"<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'>{FINGERPRINT}</transport>"),
    }
    for reason, contents in offers.items():
        sid = secrets.token_hex(8)
        assert answer(mallory.ask(jingle("session-initiate", sid, contents), to=target)) == ("result",), reason
        ended = mallory.wait(lambda e, sid=sid: (j := e.find(JINGLE)) is not None and j.get("sid") == sid)
        found = ended.find(JINGLE)
        assert found is not None and found.get("action") == "session-terminate"
        assert found.find(f"{{urn:xmpp:jingle:1}}reason/{{urn:xmpp:jingle:1}}{reason}") is not None, reason
        assert answer(mallory.ask(jingle("session-initiate", sid, contents), to=target)) == UNKNOWN, "a replay of what is over"
    assert stage.run(page.ask("alive", type="reject", call="nothing")) == "unknown-call"
    assert [e for e in page.events if e["type"] == "incoming"] == []


def test_a_ringing_session_out_of_order(stage: Stage, mallory: RawXmpp, carol: tuple[RawPage, str]) -> None:
    page, target = carol
    sid = secrets.token_hex(8)
    good = "<candidate component='1' foundation='1' generation='0' id='{}' ip='{}' network='0' port='{}' priority='7' {}/>"
    bad = [("a", "192.0.2.1 9", "9"), ("b", "not an address", "9"), ("c", "192.0.2.1", "70000"), ("d", "0.0.0.0", "-1")]
    candidates = "".join(good.format(*c, "protocol='udp' type='host'") for c in bad) + "<candidate/>"
    first = jingle("session-initiate", sid, content(transport=ICE.format(FINGERPRINT + candidates)))
    assert answer(mallory.ask(first, to=target)) == ("result",), "bad candidates drop themselves only"
    incoming = stage.run(page.hear("incoming"))
    assert answer(mallory.ask(first, to=target)) == OUT_OF_ORDER, "a replay"
    assert answer(mallory.ask(jingle("session-accept", sid, content()), to=target)) == OUT_OF_ORDER, "the initiator accepts itself"
    for action in ("content-accept", "transport-accept", "transport-reject", "content-reject"):
        assert answer(mallory.ask(jingle(action, sid, content()), to=target)) == OUT_OF_ORDER, action
    unknown = jingle("session-info", sid, "<x xmlns='urn:x'/>")
    assert answer(mallory.ask(unknown, to=target)) == ("cancel", "feature-not-implemented", "unsupported-info")
    assert answer(mallory.ask(jingle("transport-info", sid, content(transport=ICE.format("<candidate/>" * 300))), to=target)) == ("result",)
    assert (
        stage.run(page.ask("answer", type="description", call=incoming["call"], description={"type": "answer", "sdp": offer()}))
        == "out-of-order"
    )
    assert answer(mallory.ask(jingle("session-terminate", sid), to=target)) == ("result",)
    assert stage.run(page.hear("ended", call=incoming["call"]))["reason"] in ("cancelled", "ended")
    assert answer(mallory.ask(jingle("session-terminate", sid), to=target)) == UNKNOWN


def test_a_flood_of_proposes_rings_three_times(stage: Stage, mallory: RawXmpp, carol: tuple[RawPage, str]) -> None:
    page, target = carol
    ids = [secrets.token_hex(8) for _ in range(60)]
    bare = target.partition("/")[0]
    for id in ids:
        mallory.send(f"<message type='chat' to='{bare}' id='{id}'>{jmi('propose', id, AUDIO)}</message>" * 2)
    assert answer(mallory.ask("<ping xmlns='urn:xmpp:ping'/>", to=target, kind="get")) == ("result",), "all of them were handled"
    for _ in range(3):
        stage.run(page.hear("incoming"))
    stage.run(page.ask("alive", type="reject", call="nothing"))
    assert [e for e in page.events if e["type"] == "incoming"] == [], "no more than three"
    for id in ids:
        mallory.send(f"<message type='chat' to='{bare}'>{jmi('retract', id)}</message>")
    for _ in range(3):
        assert stage.run(page.hear("ended"))["reason"] == "cancelled"


def test_big_stanzas(stage: Stage, mallory: RawXmpp) -> None:
    """100 KB are read, and what is over the limit is refused without looking into it."""
    target = stage.good.page_jid
    big = jingle("session-info", "nothing", f"<x xmlns='urn:x'>{'x' * 100_000}</x>")
    assert answer(mallory.ask(big, to=target)) == UNKNOWN
    wide = jingle("session-info", stage.good.sid, "<x xmlns='urn:x'/>" * 2100)
    assert answer(mallory.ask(wide, to=target)) == ("modify", "policy-violation")
    mallory.send(f"<message to='{target}'><body>{'x' * 100_000}</body></message>")
    mallory.send(f"<presence to='{target}'><status>{'x' * 100_000}</status></presence>")
    assert answer(mallory.ask("<ping xmlns='urn:xmpp:ping'/>", to=target, kind="get")) == ("result",)


def test_presence_of_all_kinds_changes_nothing(stage: Stage, mallory: RawXmpp) -> None:
    bare = stage.good.page_jid.partition("/")[0]
    for kind in ("unavailable", "unsubscribed", "unsubscribe", "subscribed", "probe", "error"):
        for to in (bare, stage.good.page_jid, f"{unique_user()}@{bare.partition('@')[2]}"):
            mallory.send(f"<presence type='{kind}' to='{to}'/>")
    assert answer(mallory.ask("<ping xmlns='urn:xmpp:ping'/>", to=bare, kind="get")) == ("result",)


def test_hostile_frames(stage: Stage, carol: tuple[RawPage, str]) -> None:
    page, _ = carol
    (call,) = stage.bridge.calls()
    theirs = call["call"]
    description = {"type": "answer", "sdp": offer()}

    async def frames() -> dict[str, str]:
        found = {
            "malformed": await page.code("{"),
            "deep": await page.code("[" * 5000 + "]" * 5000),
            "200 KiB": await page.code('{"type":"bye","id":"b","x":"' + "x" * 200 * 1024 + '"}'),
            "binary": await page.code(b'{"type":"bye","id":"b"}'),
            "unknown type": await page.code('{"type":"own","id":"t"}'),
            "second hello": await page.ask("h", type="hello", version=1, token="x"),
            "not text": await page.ask("n", type="accept", call=7),
        }
        requests: dict[str, dict[str, Any]] = {
            "accept": {},
            "reject": {},
            "hangup": {},
            "description": {"description": description},
            "info": {"info": "mute"},
            "candidate": {"candidate": {"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "sdpMid": "0"}},
            "stats": {"connectionState": "failed"},
        }
        for kind, more in requests.items():
            found[f"{kind} of nothing"] = await page.ask(f"{kind}1", type=kind, call="nothing", **more)
            found[f"{kind} of another's call"] = await page.ask(f"{kind}2", type=kind, call=theirs, **more)
        return found

    found: dict[str, str] = stage.run(frames())
    assert {k: v for k, v in found.items() if " of " not in k} == {
        "malformed": "bad-frame", "deep": "bad-frame", "200 KiB": "too-big", "binary": "bad-frame", "unknown type": "unknown-type",
        "second hello": "out-of-order", "not text": "bad-frame",
    }  # fmt: skip
    assert {v for k, v in found.items() if " of " in k} == {"unknown-call"}


def test_hostile_descriptions_and_candidates(stage: Stage, mallory: RawXmpp) -> None:
    """A page that attacks the contact it may call."""
    page, _ = stage.page(unique_user("dave"), mallory.jid)

    def place(id: str, sdp: str, to: str = mallory.jid, type: str = "offer") -> str:
        code: str = stage.run(page.ask(id, type="call", call=id, to=to, description={"type": type, "sdp": sdp}))
        return code

    assert place("1", "garbage") == "bad-description"
    assert place("2", "v=0\r\n" * 3000) == "bad-description"
    assert place("3", "x" * 70_000) == "bad-frame"
    assert place("4", offer().replace("a=fingerprint", "a=finger")) == "bad-description"
    assert place("5", offer(), to=stage.good.contact.jid) == "forbidden"
    assert place("6", offer(), to="nobody") == "unknown-contact"
    assert place("7", offer(), to="a b@@c") == "unknown-contact"
    assert place("8", offer(), type="answer") == "out-of-order"
    assert place("9", offer().replace("a=mid:0", "a=mid:0'/><evil xmlns='urn:evil'/><x y='")) == "bad-description"
    hostile = offer("a=ssrc:1 cname:</jingle><evil/>", "a=fmtp:111 x=1&#10;<evil/>;y='\"", "a=label:]]><evil/>")
    assert place("good", hostile) == "ack"
    assert place("good", hostile) == "ack" and place("again", hostile) == "ack"
    proposes = [mallory.wait(lambda e: e.find("{urn:xmpp:jingle-message:0}propose") is not None) for _ in range(2)]
    assert {e.get("from") for e in proposes} == {proposes[0].get("from")}
    sids = [e.find("{urn:xmpp:jingle-message:0}propose").get("id") for e in proposes]  # type: ignore[union-attr]
    assert (
        stage.run(page.ask("dup", type="call", call="good", to=mallory.jid, description={"type": "offer", "sdp": hostile}))
        == "duplicate-call"
    )
    assert stage.run(page.ask("self", type="accept", call="good")) == "out-of-order"
    mallory.send(f"<message type='chat' to='{proposes[0].get('from')}'>{jmi('proceed', str(sids[0]))}</message>")
    started = mallory.wait(lambda e: (j := e.find(JINGLE)) is not None and j.get("action") == "session-initiate")
    assert [e.tag for e in started.iter() if "evil" in e.tag] == [] and started.get("from") == proposes[0].get("from")

    def candidate(id: str, text: str, mid: str | None = "0", index: int | None = None) -> str:
        init = {"candidate": text, "sdpMid": mid, "sdpMLineIndex": index}
        code: str = stage.run(page.ask(id, type="candidate", call="good", candidate=init))
        return code

    fine = "candidate:1 1 udp 1 192.0.2.1 9 typ host"
    assert candidate("c1", fine + "\r\na=evil:1") == "bad-candidate"
    assert candidate("c2", "garbage") == "bad-candidate"
    assert candidate("c3", fine, "9") == "bad-candidate"
    assert candidate("c4", fine, None, 77) == "bad-candidate"
    assert candidate("c5", fine.replace("192.0.2.1", "<evil/>")) == "ack", "no peer could use it: it drops itself, as one of Jingle does"
    assert candidate("c6", fine) == "ack"
    info = mallory.wait(lambda e: (j := e.find(JINGLE)) is not None and j.get("action") == "transport-info")
    assert [c.get("ip") for c in info.iter("{urn:xmpp:jingle:transports:ice-udp:1}candidate")] == ["192.0.2.1"]
    assert stage.run(page.ask("bye", type="bye")) == "ack"
    ended = mallory.wait(lambda e: (j := e.find(JINGLE)) is not None and j.get("action") == "session-terminate")
    assert ended.find(JINGLE).get("sid") == sids[0]  # type: ignore[union-attr]


def test_nobody_gets_in_without_a_good_token(stage: Stage) -> None:
    async def attempt(token: str) -> str:
        async with aiohttp.ClientSession() as session, session.ws_connect(stage.bridge.url + "/ws", protocols=(m.PROTOCOL,)) as socket:
            return await RawPage(socket).code(json.dumps({"type": "hello", "id": "h", "version": 1, "token": token}))

    good = stage.bridge.token(unique_user())
    for token in ("", "x", good[:-2], good.rpartition(".")[0] + ".AAAA"):
        assert stage.run(attempt(token)) == "not-authorized"
    assert good not in stage.bridge.log()


def test_many_sockets_that_say_nothing(stage: Stage) -> None:
    async def crowd() -> list[int]:
        async with aiohttp.ClientSession() as session:
            codes, sockets = [], []
            for _ in range(60):
                try:
                    sockets.append(await session.ws_connect(stage.bridge.url + "/ws", protocols=(m.PROTOCOL,)))
                except aiohttp.WSServerHandshakeError as error:
                    codes.append(error.status)
            for socket in sockets:
                await socket.close()
            return codes

    refused = stage.run(crowd())
    assert set(refused) == {429} and len(refused) >= 10
