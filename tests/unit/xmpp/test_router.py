"""One answer to each IQ request, none to anything else. RFC 6120 §8; J-006 … J-008, J-078."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections import deque

import pytest

from jinglebridge.errors import (
    BadRequest,
    InvalidState,
    ItemNotFound,
    OutOfOrder,
    ResourceConstraint,
    ServiceUnavailable,
    TieBreak,
    UnknownSession,
    UnsupportedInfo,
)
from jinglebridge.xmpp.framing import Head
from jinglebridge.xmpp.router import MAX_LATER, Answer
from tests.unit.fakes import DOMAIN, component, conditions, el, logged, routed, settle

TAG = "{urn:j}j"
J = "<j xmlns='urn:j'/>"


def request(inner: str = J, kind: str = "set", id: str = " id='1'") -> ET.Element:
    return el(f"<iq type='{kind}'{id} from='A@X/r' to='b@{DOMAIN}/w'>{inner}</iq>")


def answering(handler):
    router, sent, requests = routed()
    router.iq["set", TAG] = handler
    return router, sent, requests


def test_a_result_comes_first_then_what_follows_from_it():
    order: list[str] = []
    router, sent, _ = answering(lambda s: Answer(ET.Element("{urn:j}yes"), then=lambda: order.append(f"{len(sent)} sent")))
    router.route(request())
    (reply,) = sent
    assert (reply.get("type"), reply.get("id"), reply.get("from"), reply.get("to")) == ("result", "1", f"b@{DOMAIN}/w", "a@x/r")
    assert reply[0].tag == "{urn:j}yes" and order == ["1 sent"]


def test_who_is_blocked_finds_nobody_here():
    """The same answer as from an empty house. J-252."""
    calls: list[str] = []
    router, sent, _ = answering(lambda s: calls.append(s.sender) or Answer())
    router.presence = lambda s: calls.append(s.sender)
    router.message["{urn:m}m"] = lambda s: calls.append(s.sender)
    router.blocked = lambda jid: jid.partition("/")[0] == "a@x"
    router.route(request())
    (reply,) = sent.take()
    assert conditions(reply) == ("cancel", "service-unavailable", None)
    assert not router.route_plain(*PLAIN)
    router.route(request(kind="result"))
    router.route(request(id=""))
    router.route(el(f"<presence from='a@x/r' to='b@{DOMAIN}'/>"))
    router.route(el(f"<message from='a@x/r' to='b@{DOMAIN}'><m xmlns='urn:m'/></message>"))
    assert sent == [] and calls == []
    router.route(el(f"<presence from='c@x/r' to='b@{DOMAIN}'/>"))
    assert calls == ["c@x/r"]


def test_the_handler_gets_prepared_addresses_and_its_payload():
    seen = []

    def handler(stanza):
        seen.append((stanza.sender, stanza.to, stanza.payload.tag, stanza.find(TAG).tag))
        return Answer()

    router, _, _ = answering(handler)
    router.route(request())
    assert seen == [("a@x/r", f"b@{DOMAIN}/w", TAG, TAG)]


@pytest.mark.parametrize(
    ("element", "condition"),
    [
        (request("<unknown xmlns='urn:n'/>"), "service-unavailable"),
        (request("<unknown xmlns='urn:n'/>", "get"), "service-unavailable"),
        (request(kind="get"), "bad-request"),
        (request(J + J), "bad-request"),
        (request(J + "<x xmlns='urn:x'/>"), "bad-request"),
        (request(""), "bad-request"),
        (request(kind="nonsense"), "bad-request"),
        (request(kind=""), "bad-request"),
    ],
)
def test_what_no_handler_takes(element, condition):
    router, sent, _ = answering(lambda s: Answer())
    router.route(element)
    assert len(sent) == 1 and conditions(sent[0])[1] == condition


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (BadRequest("why"), ("modify", "bad-request", None)),
        (ItemNotFound("why"), ("cancel", "item-not-found", None)),
        (UnknownSession("why"), ("cancel", "item-not-found", "unknown-session")),
        (OutOfOrder("why"), ("wait", "unexpected-request", "out-of-order")),
        (TieBreak("why"), ("cancel", "conflict", "tie-break")),
        (UnsupportedInfo("why"), ("cancel", "feature-not-implemented", "unsupported-info")),
        (ServiceUnavailable("why"), ("cancel", "service-unavailable", None)),
        (ResourceConstraint("why"), ("wait", "resource-constraint", None)),
    ],
)
def test_errors_are_those_of_j_078(error, expected):
    def handler(stanza):
        raise error

    router, sent, _ = answering(handler)
    router.route(request())
    (reply,) = sent
    assert conditions(reply) == expected
    assert (reply.get("id"), reply.get("from"), reply.get("to")) == ("1", f"b@{DOMAIN}/w", "a@x/r")
    assert reply.findtext(".//{urn:ietf:params:xml:ns:xmpp-stanzas}text") == "why"


@pytest.mark.parametrize("bug", [ZeroDivisionError("secret"), RecursionError(), InvalidState("secret"), KeyError("secret")])
def test_a_bug_is_internal_server_error_without_its_text(bug):
    def handler(stanza):
        raise bug

    router, sent, _ = answering(handler)
    with logged() as lines:
        router.route(request())
        router.route(request(J, "get"))
    assert conditions(sent[0]) == ("cancel", "internal-server-error", None) and len(sent) == 2
    assert b"secret" not in ET.tostring(sent[0])
    assert lines[0]["event"] == "iq-handler-failed"


def test_a_bug_after_the_ack_is_logged_and_not_answered_again():
    router, sent, _ = answering(lambda s: Answer(then=lambda: 1 / 0))
    with logged() as lines:
        router.route(request())
    assert [r.get("type") for r in sent] == ["result"]
    assert [line["event"] for line in lines] == ["stanza-handler-failed"]


async def test_the_stream_goes_on_after_a_bug():
    made, transport = component()
    router, _, _ = routed()
    router._send = made.send
    router.iq["set", TAG] = lambda s: 1 / 0
    made.on_stanza = router.route
    with logged():
        for number in range(3):
            made.data_received(f"<iq type='set' id='{number}' from='a@x/r' to='b@{DOMAIN}'>{J}</iq>".encode())
    assert [r.get("id") for r in transport.stanzas()] == ["0", "1", "2"] and made.up


@pytest.mark.parametrize("kind", ["result", "error"])
def test_a_reply_is_never_answered(kind):
    """Also when it echoes a payload that has a handler, and when nobody waits for it."""
    router, sent, _ = answering(lambda s: 1 / 0)
    router.route(request(kind=kind))
    router.route(request(J + "<error type='cancel'/>", kind=kind))
    assert sent == []


def test_a_request_without_id_cannot_be_answered():
    router, sent, _ = answering(lambda s: 1 / 0)
    router.route(request(id=""))
    assert sent == []


@pytest.mark.parametrize(
    "text",
    [
        "<iq type='get' id='1' from='a@x/r' to='b@elsewhere.test'/>",
        f"<iq type='get' id='1' to='b@{DOMAIN}'/>",
        f"<iq type='get' id='1' from='@@' to='b@{DOMAIN}'/>",
        f"<iq type='get' id='1' from='a@x/r' to='b b@{DOMAIN}'/>",
        "<iq type='get' id='1' from='a@x/r'/>",
        f"<other from='a@x/r' to='b@{DOMAIN}'/>",
    ],
)
def test_what_is_not_for_us_is_dropped(text):
    router, sent, _ = routed()
    router.route(el(text))
    assert sent == []


def test_a_message_carries_its_payload_in_any_position_and_is_never_answered():
    router, sent, _ = routed()
    got: list[str] = []
    router.message[TAG] = lambda s: got.append(f"{s.type}:{s.payload.tag}")
    router.message_error = lambda s: got.append("error")
    for text in (f"<store xmlns='urn:xmpp:hints'/>{J}", f"{J}<store xmlns='urn:xmpp:hints'/>", "<body>hello</body>", ""):
        router.route(el(f"<message type='chat' from='a@x/r' to='b@{DOMAIN}'>{text}</message>"))
    router.route(el(f"<message type='error' from='a@x/r' to='b@{DOMAIN}'>{J}<error/></message>"))
    assert got == [f"chat:{TAG}"] * 2 + ["error"] and sent == []


@pytest.mark.parametrize("error", [BadRequest("x"), ValueError("x")])
def test_a_message_or_presence_handler_that_fails_is_only_logged(error):
    def fail(stanza):
        raise error

    router, sent, _ = routed()
    router.message[TAG] = fail
    router.presence = fail
    with logged() as lines:
        router.route(el(f"<message from='a@x/r' to='b@{DOMAIN}'>{J}</message>"))
        router.route(el(f"<presence from='a@x/r' to='b@{DOMAIN}'/>"))
    assert sent == [] and len(lines) == 2


async def test_replies_reach_who_asked():
    router, sent, requests = routed()
    answers: list[object] = []
    requests.ask("get", f"b@{DOMAIN}", "a@x/r", ET.Element(TAG), lambda *a: answers.append(a))
    router.route(el(f"<iq type='result' id='{sent[0].get('id')}' from='a@x/r' to='b@{DOMAIN}'>{J}</iq>"))
    await settle()
    assert answers[0][0].tag == TAG and len(sent) == 1


SET, RESULT = Head.of("iq", "set", "a@x/r", f"b@{DOMAIN}/w"), Head.of("iq", "result", "a@x/r", f"b@{DOMAIN}/w")
PLAIN = SET, "1", "<jingle/>"


def test_jingle_that_is_still_text_is_answered_the_same():
    router, sent, _ = routed()
    seen = []

    def handler(stanza, text):
        seen.append((stanza.sender, stanza.to, text))
        return Answer(then=lambda: seen.append(len(sent)))

    router.jingle = handler
    assert router.route_plain(*PLAIN)
    assert [e.get("type") for e in sent] == ["result"] and seen == [("a@x/r", f"b@{DOMAIN}/w", "<jingle/>"), 1]


@pytest.mark.parametrize("error", [UnknownSession("no"), BadRequest("no"), ZeroDivisionError("secret")])
def test_and_refused_the_same(error):
    router, sent, _ = routed()

    def handler(stanza, text):
        raise error

    router.jingle = handler
    assert router.route_plain(*PLAIN)
    (reply,) = sent
    assert (reply.get("type"), reply.get("id"), reply.get("to")) == ("error", "1", "a@x/r")


@pytest.mark.parametrize(
    "plain",
    [
        (Head.of("iq", "set", "a@x/r", "b@elsewhere.test"), "1", "<jingle/>"),
        (Head.of("iq", "set", "", f"b@{DOMAIN}/w"), "1", "<jingle/>"),
        (SET._replace(type="get"), "1", "<jingle/>"),
        (SET, "", "<jingle/>"),
        (SET, "1", ""),
        (RESULT, "1", "<jingle/>"),
        (RESULT._replace(type="error"), "1", ""),
    ],
)
def test_text_without_a_place_is_left_to_the_parser(plain):
    router, sent, _ = routed()
    router.jingle = lambda stanza, text: 1 / 0
    assert not router.route_plain(*plain) and not sent


def test_text_over_a_limit_or_not_plain_is_left_to_the_parser():
    router, sent, _ = routed()
    assert not router.route_plain(*PLAIN) and not sent, "nobody said that it is plain"
    router.jingle = lambda stanza, text: 1 / 0
    assert not router.route_plain(SET, "1", "<a/>" * 2001) and not sent


def test_text_for_somebody_hidden_or_who_blocks_is_asked_of_nobody():
    router, sent, _ = routed()
    seen = []
    router.jingle = lambda stanza, text: seen.append(stanza.to) or Answer()
    router.shuns = lambda own, peer: (own, peer) == (f"b@{DOMAIN}", "a@x")
    assert router.route_plain(*PLAIN)
    router.shuns, router.hidden = lambda own, peer: False, lambda stanza: True
    assert router.route_plain(*PLAIN)
    assert seen == [f"\\20@{DOMAIN}/w", f"guest--@{DOMAIN}/-"] and {e.get("from") for e in sent} == {f"b@{DOMAIN}/w"}


CHAT = Head.of("message", "chat", "a@x/r", f"b@{DOMAIN}/w")


def test_a_message_that_is_still_text_reaches_its_handler():
    router, sent, _ = routed()
    seen = []
    assert not router.route_plain(CHAT, "1", "<m/>"), "nobody said that it is plain"
    router.jmi = lambda text: lambda stanza: seen.append((stanza.kind, stanza.type, stanza.id, stanza.sender, stanza.to, text))
    assert router.route_plain(CHAT, "1", "<m/>")
    router.shuns = lambda own, peer: (own, peer) == (f"b@{DOMAIN}", "a@x")
    assert router.route_plain(CHAT, "2", "<m/>")
    assert seen == [("message", "chat", id, "a@x/r", to, "<m/>") for id, to in (("1", f"b@{DOMAIN}/w"), ("2", f"\\20@{DOMAIN}/w"))]
    router.jmi = lambda text: lambda stanza: raised(BadRequest("no"))
    with logged() as lines:
        assert router.route_plain(CHAT, "1", "<m/>") and len(lines) == 1
    router.jmi = lambda text: 1 / 0
    assert not router.route_plain(CHAT, "1", "")
    for type in ("error", "groupchat"):
        assert not router.route_plain(CHAT._replace(type=type), "1", "<m/>")
    router.blocked = lambda jid: jid == "a@x/r"
    assert not router.route_plain(CHAT, "1", "<m/>") and sent == []


def test_an_empty_result_reaches_who_asked_without_a_tree():
    router, _, requests = routed()
    answers: list[object] = []
    requests._open["1"] = "a@x/r", lambda *given: answers.append(given), deque()
    assert router.route_plain(RESULT._replace(sender="c@x/r"), "1", "") and answers == [], "a stray one"
    assert router.route_plain(RESULT, "1", "") and router.route_plain(RESULT, "1", "")
    assert answers == [(None, None, None)] and not len(requests)


def test_who_asked_may_fail():
    router, _, requests = routed()
    for error in (BadRequest("no"), ZeroDivisionError("secret")):
        requests._open["1"] = "a@x/r", lambda *given, error=error: raised(error), deque()
        with logged() as lines:
            assert router.route_plain(RESULT, "1", "")
        assert len(lines) == 1


def raised(error):
    raise error


async def test_answers_that_are_looked_up_are_bounded():
    """Whoever asks without end is told so, and each request gets its one answer. J-006."""
    router, sent, _ = routed()
    found = asyncio.Event()

    async def later() -> ET.Element:
        await found.wait()
        return ET.Element(TAG)

    router.iq["get", TAG] = lambda stanza: Answer(later=later)
    for number in range(MAX_LATER + 5):
        router.route(request(kind="get", id=f" id='{number}'"))
    assert [conditions(e)[:2] for e in sent.take()] == [("wait", "resource-constraint")] * 5
    found.set()
    await settle()
    assert sorted(int(e.get("id", "")) for e in sent.take()) == list(range(MAX_LATER))
    router.route(request(kind="get"))
    await settle()
    assert [e.get("type") for e in sent.take()] == ["result"], "there is room again"
