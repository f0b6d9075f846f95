"""The judge of the stories in `tests/interop` blames what it says it blames: a good call, and the same call with one thing wrong.

Nothing is connected here: the stanzas of both sides are handed to it.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from jinglebridge.demo.peer.names import MODERN, RTP, disco_query, own_ver
from tests.interop.peers import media
from tests.interop.peers.judge import Judge
from tests.interop.peers.words import el, jingle, jmi, said, text

AL, BOB = "al@im.test/phone", "bob@call.im.test/w-1"
SID = "a/b+c"
ROUND = media.talk(("audio", "video"))


def heard(inner: ET.Element | str, kind: str = "message", **attributes: str) -> str:
    given = {"from": BOB, "to": AL, "id": "m1", "type": "chat" if kind == "message" else "set"} | attributes
    inside = inner if isinstance(inner, str) else text(inner)
    attributes_ = " ".join(f'{key}="{value}"' for key, value in given.items())
    return f"<{kind} xmlns='jabber:client' {attributes_}>{inside}</{kind}>"


def described(action: str, sdp: str, role: str) -> ET.Element:
    found = media.contents(sdp, role, plain)
    return jingle(action, SID, media.group(found), *found)


def plain(content: ET.Element) -> None:
    """As a client needs it: every parameter with a value, no element of nobody's."""
    for payload in content.iter(f"{{{RTP}}}payload-type"):
        for parameter in payload.findall(f"{{{RTP}}}parameter"):
            if not parameter.get("name") and len(payload.findall(f"{{{RTP}}}parameter")) > 1:
                payload.remove(parameter)


def candidate(answer: bool = False) -> ET.Element:
    sdp, inits = (ROUND.answer, ROUND.answer_candidates) if answer else (ROUND.offer, ROUND.offer_candidates)
    found = media.contents(sdp, "initiator")
    name, attributes = media.candidates(inits)[0]
    transport = el("urn:xmpp:jingle:transports:ice-udp:1", "transport", dict(media.transport_of(found[0]).attrib))
    transport.append(el("urn:xmpp:jingle:transports:ice-udp:1", "candidate", attributes))
    return jingle("transport-info", SID, el("urn:xmpp:jingle:1", "content", {"creator": "initiator", "name": name}, transport))


PROPOSE = jmi("propose", SID, *(el(RTP, "description", {"media": kind}) for kind in ("audio", "video")))
CAPS = el("http://jabber.org/protocol/caps", "c", {"hash": "sha-1", "node": "n", "ver": own_ver(MODERN)})
# (who, stanza): al calls, bob answers, bob hangs up
CALL = [
    ("hears", heard(CAPS, "presence", type="", id="p")),
    ("hears", heard(disco_query(MODERN, None), "iq", type="result", id="ASKED")),
    ("says", heard(text(PROPOSE) + "<request xmlns='urn:xmpp:receipts'/>", **{"from": AL}, to="bob@call.im.test", id="jm")),
    ("hears", heard("<received xmlns='urn:xmpp:receipts' id='jm'/>")),
    ("hears", heard(jmi("ringing", SID))),
    ("hears", heard(jmi("proceed", SID))),
    ("says", heard(described("session-initiate", ROUND.offer, "initiator"), "iq", **{"from": AL}, to=BOB, id="q1")),
    ("hears", heard("", "iq", type="result", id="q1")),
    ("hears", heard(described("session-accept", ROUND.answer, "responder"), "iq")),
    ("hears", heard(candidate(answer=True), "iq")),
    ("hears", heard(jingle("session-terminate", SID, *said("success")), "iq")),
    ("hears", heard(jmi("finish", SID, *said("success")))),
]
STEPS = {name: place for place, name in enumerate(
    "presence disco propose receipt ringing proceed initiate ack accept candidate terminate finish".split())}  # fmt: skip


def verdict(changed: dict[str, list[str]] | None = None) -> list[str]:
    """Of the call, with the steps of `changed` replaced by other stanzas (each from the same side)."""
    now = [1.0]
    asked: list[ET.Element] = []
    judge = Judge(AL, "call.im.test", lambda: now[0], asked.append)
    for step, (side, stanza) in zip(STEPS, CALL, strict=True):
        for found in (changed or {}).get(step, [stanza]):
            judge.witness(side, ET.fromstring(found.replace("ASKED", asked[0].get("id", "") if asked else "")))
    now[0] += 10
    return judge.verdict()


def good(step: str) -> str:
    return CALL[STEPS[step]][1]


def without(step: str, *old_new: tuple[str, str]) -> list[str]:
    found = good(step)
    for old, new in old_new:
        assert old in found, (old, found[:2000])
        found = found.replace(old, new)
    return [found]


def test_nothing_is_wrong_with_a_good_call():
    assert verdict() == []


WRONG = {
    "presence without caps": (1, {"presence": [heard("", "presence", type="", id="p")], "disco": []}),
    "presence of a bare JID": (1, {"presence": without("presence", (BOB, "bob@call.im.test")), "disco": []}),
    "a hash that is another": (2, {"presence": without("presence", (own_ver(MODERN), "AAAA"))}),
    "a feature too few": (2, {"disco": without("disco", ("urn:xmpp:jingle:apps:dtls:0", "urn:x"))}),
    "another device goes on": (3, {"terminate": without("terminate", (BOB, "bob@call.im.test/w-2"))}),
    "proceed to the bare JID": (4, {"proceed": without("proceed", (AL, "al@im.test"))}),
    "ringing to the bare JID": (4, {"ringing": without("ringing", (AL, "al@im.test"))}),
    "no type": (4, {"proceed": without("proceed", ('type="chat"', 'type="normal"'))}),
    "no receipt": (5, {"receipt": []}),
    "a receipt for another message": (5, {"receipt": without("receipt", ("id='jm'", "id='other'"))}),
    "no ringing": (5, {"ringing": []}),
    "an answer that is actpass": ("7-13", {"accept": without("accept", ('setup="active"', 'setup="actpass"'))}),
    "no fingerprint": ("7-13", {"accept": without("accept", (":fingerprint ", ":print "), (":fingerprint>", ":print>"))}),
    "a medium less": ("7-13", {"accept": without("accept", ('media="video"', 'media="audio"'))}),
    "a parameter without value": ("7-13", {"accept": without("accept", ('value="10"', 'value=""'))}),
    "a parameter with a blank": ("7-13", {"accept": without("accept", ('value="10"', 'value="1 0"'))}),
    "no pwd beside a candidate": ("8-9", {"candidate": without("candidate", (" pwd=", " pass="))}),
    "another ufrag": ("8-9", {"candidate": without("candidate", ('ufrag="', 'ufrag="x'))}),
    "a TCP candidate": ("8-9", {"candidate": without("candidate", ('protocol="udp"', 'protocol="tcp"'))}),
    "a .local candidate": ("8-9", {"candidate": without("candidate", ('ip="192.0.2.2"', 'ip="a-b.local"'))}),
    "no acknowledgement": (11, {"ack": []}),
    "an error instead of one": (11, {"ack": [
        heard("<error type='cancel'><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>", "iq", type="error", id="q1")]}),
    "no finish": (12, {"finish": []}),
    "no reason": (12, {"terminate": [heard(jingle("session-terminate", SID), "iq")]}),
    "terminate twice": (12, {"terminate": [good("terminate")] * 2}),
    "more after the end": (12, {"finish": [good("finish"), good("candidate")]}),
    "retract for a session": (12, {"terminate": [good("terminate"), heard(jmi("retract", SID, *said("cancel")))]}),
    "terminate before a session": (12, {
        "proceed": [good("terminate")], "initiate": [], "ack": [], "accept": [], "candidate": [], "terminate": []}),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "changed"), WRONG.values(), ids=WRONG)
def test_one_thing_wrong_is_blamed_on_its_rule(rule, changed):
    found = verdict(changed)
    assert any(breach.startswith(f"rule {rule}:") for breach in found), found


# bob calls, al answers
THEIR_CALL = [
    ("hears", heard(PROPOSE, to="al@im.test")),
    ("says", heard(jmi("proceed", SID), **{"from": AL}, to=BOB)),
    ("hears", heard(described("session-initiate", ROUND.offer, "initiator"), "iq")),
    ("hears", heard(candidate(), "iq")),
]


@pytest.mark.parametrize(
    ("rule", "at", "old", "new"),
    [
        (4, 0, 'to="al@im.test"', f'to="{AL}"'),
        (4, 0, 'media="audio"', 'media="text"'),
        (6, 0, '<rtp:description media="video" />', ""),
        ("7-13", 2, 'setup="actpass"', 'setup="active"'),
        ("7-13", 2, 'semantics="BUNDLE"', 'semantics="LS"'),
        (3, 2, BOB, "bob@call.im.test/w-2"),
    ],
)
def test_what_is_wrong_with_a_call_to_it(rule, at, old, new):
    def judged(stanzas: list[tuple[str, str]]) -> list[str]:
        judge = Judge(AL, "call.im.test", lambda: 1.0, lambda stanza: None)
        for side, stanza in stanzas:
            judge.witness(side, ET.fromstring(stanza))
        return judge.verdict()

    assert judged(THEIR_CALL) == []
    side, stanza = THEIR_CALL[at]
    assert old in stanza
    found = judged([*THEIR_CALL[:at], (side, stanza.replace(old, new)), *THEIR_CALL[at + 1 :]])
    assert any(breach.startswith(f"rule {rule}:") for breach in found), found


def test_a_session_that_nobody_agreed_to():
    """Without the proceed."""
    judge = Judge(AL, "call.im.test", lambda: 1.0, lambda stanza: None)
    for place in (0, 2):
        judge.witness("hears", ET.fromstring(THEIR_CALL[place][1]))
    assert judge.verdict() == ["rule 12: session-initiate before anybody proceeded"]
