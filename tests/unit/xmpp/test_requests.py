"""Our own IQs: the reply is matched by id and sender, silence and a lost stream are answers too. J-010."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET

from jinglebridge.xmpp.requests import Requests
from jinglebridge.xmpp.stanza import Stanza
from tests.unit.fakes import DOMAIN, Sent, settle, stanza, until

OWN = f"b@{DOMAIN}"


def reply(id: str, sender: str = "a@x/r", kind: str = "result", inner: str = "<q xmlns='urn:q'/>") -> Stanza:
    return stanza(f"<iq type='{kind}' id='{id}' from='{sender}' to='{OWN}'>{inner}</iq>")


def asked(timeout: float = 5.0) -> tuple[Requests, Sent, list[tuple[object, ...]], str]:
    sent, answers = Sent(), []
    requests = Requests(sent)
    requests.ask("get", OWN, "a@x/r", ET.Element("{urn:q}q"), lambda *a: answers.append(a), timeout)
    return requests, sent, answers, str(sent[0].get("id"))


async def test_the_answer_is_given_once():
    requests, sent, answers, id = asked()
    assert (sent[0].get("type"), sent[0].get("from"), sent[0].get("to")) == ("get", OWN, "a@x/r") and len(id) >= 20
    assert requests.answered(reply(id)) and not requests.answered(reply(id))
    assert answers[0][0].tag == "{urn:q}q" and answers[0][1:] == (None, None) and len(answers) == 1 and len(requests) == 0


async def test_a_result_without_payload():
    requests, _, answers, id = asked()
    assert requests.answered(reply(id, inner=""))
    assert answers == [(None, None, None)]


async def test_somebody_else_cannot_answer():
    requests, _, answers, id = asked()
    for sender in ("evil@x/r", "a@x", "a@x/other", "x"):
        assert not requests.answered(reply(id, sender))
    assert not requests.answered(reply("guess")) and answers == [] and len(requests) == 1
    requests.lost()


async def test_an_error_carries_its_conditions():
    requests, _, answers, id = asked()
    inner = (
        "<q xmlns='urn:q'/><error type='cancel'><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>t</text>"
        "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><unknown-session xmlns='urn:xmpp:jingle:errors:1'/></error>"
    )
    assert requests.answered(reply(id, kind="error", inner=inner))
    assert answers == [(None, "item-not-found", "unknown-session")]


async def test_silence_is_a_timeout():
    requests, _, answers, id = asked(0.01)
    await until(lambda: answers)
    assert answers == [(None, "timeout", None)] and len(requests) == 0 and not requests.answered(reply(id))


async def test_a_lost_stream_answers_everything_also_when_an_answer_asks_again():
    sent, answers = Sent(), []
    requests = Requests(sent)

    def again(payload: object, condition: str | None, _: object) -> None:
        answers.append(condition)
        if len(answers) <= 2:
            requests.ask("get", OWN, "a@x/r", ET.Element("{urn:q}q"), again)

    for _ in range(2):
        requests.ask("get", OWN, "a@x/r", ET.Element("{urn:q}q"), again)
    sent.up = False
    requests.lost()
    await settle()
    assert answers == ["offline"] * 4 and len(requests) == 0


async def test_nothing_waits_for_what_was_not_sent():
    sent, answers = Sent(), []
    sent.up = False
    requests = Requests(sent)
    requests.ask("get", OWN, "a@x", ET.Element("q"), lambda *a: answers.append(a))
    assert answers == [], "never called back before ask returns"
    await settle()
    assert answers == [(None, "offline", None)] and len(requests) == 0


async def test_get_waits_for_the_answer():
    sent = Sent()
    requests = Requests(sent)
    task = asyncio.create_task(requests.get(OWN, "a@x/r", ET.Element("{urn:q}q")))
    await settle()
    requests.answered(reply(str(sent[0].get("id"))))
    payload, condition = await task
    assert payload is not None and payload.tag == "{urn:q}q" and condition is None
    assert await requests.get(OWN, "a@x/r", ET.Element("{urn:q}q"), 0.01) == (None, "timeout")


async def test_an_answer_after_get_was_cancelled_hurts_nobody():
    sent = Sent()
    requests = Requests(sent)
    task = asyncio.create_task(requests.get(OWN, "a@x/r", ET.Element("{urn:q}q")))
    await settle()
    task.cancel()
    await settle()
    assert requests.answered(reply(str(sent[0].get("id"))))
