"""The core raises nothing but ProtocolError on any input. 20 000 cases with fixed seeds; a failure names its seed.

Each case is a real description, candidate or stanza with a few random wounds. Allowed exceptions per target are listed in `ALLOWED`.
"""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET

import pytest

from jinglebridge.errors import BadRequest, ProtocolError, Refused, SdpError
from jinglebridge.jingle import build_jingle, jingle_text, parse_jingle, parse_jmi
from jinglebridge.sdp import parse
from jinglebridge.translate import sdp_to_xml, xml_to_sdp
from jinglebridge.translate.stream import StreamTranslator
from jinglebridge.translate.trickle import candidate_from_sdp, candidate_to_sdp
from jinglebridge.xml import parse_text, to_text
from tests.unit.cases import AV, CASES, offer, small

SDPS = [
    offer(AV)[:6000],
    offer("firefox-153__firefox-153__av")[:3000],
    small("a=candidate:f 1 udp 5 192.0.2.1 9 typ host"),
    small("a=ssrc:1 cname:x", kind="video"),
]
XMLS = [path.read_text().strip() for path in sorted((CASES / "dino").glob("*.xml"))[:6]] + [
    sdp_to_xml(small("a=extmap:1 urn:x", "a=ssrc:1 cname:x"))
]
JMIS = [path.read_text().strip() for path in sorted((CASES / "xep_0353").glob("*.xml"))]
LINES = ["candidate:f 1 udp 5 192.0.2.1 9 typ srflx raddr 10.0.0.1 rport 8 generation 0 ufrag x"]
BITS = [
    "\0",
    "\r",
    "\n",
    "\r\n",
    "\x0b",
    "\u2028",
    "\ud800",
    "&#10;",
    "&",
    "<",
    ">",
    '"',
    " ",
    ":",
    "=",
    "/",
    ";",
    "-1",
    "0",
    "99999999999",
    "٣",
    "a=",
    "m=",
    "😀",
    "%s",
    "*",
    "",
]
ALLOWED = {
    "sdp": (SdpError,),
    "to_xml": (Refused,),
    "xml": (BadRequest,),
    "to_sdp": (BadRequest, Refused),
    "candidate": (SdpError,),
    "jmi": (BadRequest,),
}


def wounded(chance: random.Random, text: str) -> str:
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text) + 1)
        match chance.randrange(5):
            case 0:
                text = text[:at] + chance.choice(BITS) + text[at:]
            case 1:
                text = text[:at] + text[at + chance.randint(1, 20) :]
            case 2:
                text = text[:at] + chr(chance.choice([chance.randrange(128), chance.randrange(0xD7FF)])) + text[at + 1 :]
            case 3:
                end = min(len(text), at + chance.randint(1, 200))
                text = text[:end] + text[at:end] + text[end:]
            case 4:
                words = text.split(" ")
                words[chance.randrange(len(words))] = chance.choice(BITS)
                text = " ".join(words)
    return text


def sdp_case(text: str) -> None:
    sdp = parse(text)
    assert parse(sdp.format()).format() == sdp.format()


def to_xml_case(text: str) -> None:
    ET.fromstring(sdp_to_xml(text))


def xml_case(text: str) -> None:
    value = parse_jingle(parse_text(text))
    again = jingle_text(value)
    assert parse_jingle(parse_text(again)) == value and to_text(build_jingle(value)) == again


def to_sdp_case(text: str) -> None:
    sdp = xml_to_sdp(text)
    parse(sdp)
    assert sdp.count("\n") == sdp.count("\r\n") == sdp.count("\r") and "\0" not in sdp


def candidate_case(text: str) -> None:
    found = candidate_from_sdp(text, id="c")
    if found is not None:
        assert candidate_from_sdp(candidate_to_sdp(found), id="c") is not None


def jmi_case(text: str) -> None:
    parse_jmi(parse_text(text))


TARGETS = {
    "sdp": (sdp_case, SDPS, 3500),
    "to_xml": (to_xml_case, SDPS, 3500),
    "xml": (xml_case, XMLS, 4000),
    "to_sdp": (to_sdp_case, XMLS, 4000),
    "candidate": (candidate_case, LINES, 3000),
    "jmi": (jmi_case, JMIS, 2000),
}


@pytest.mark.parametrize("target", TARGETS)
def test_only_allowed_exceptions(target):
    run, seeds, cases = TARGETS[target]
    passed = 0
    for seed in range(cases):
        chance = random.Random(seed)
        text = wounded(chance, chance.choice(seeds))
        try:
            run(text)
            passed += 1
        except ALLOWED[target]:
            pass
        except Exception as problem:
            raise AssertionError(f"{target}, seed {seed}: {problem!r}") from problem
    assert passed > cases // 50, "nearly everything is refused: the wounds are too deep to test anything"


def test_the_stream_never_raises():
    translator = StreamTranslator()
    for seed in range(1500):
        chance = random.Random(seed)
        message = {
            "id": seed,
            "call": str(seed % 7),
            "dir": chance.choice(["a2b", "b2a", "x"]),
            "kind": chance.choice(["offer", "answer", "candidate", "end", None]),
            "sdp": wounded(chance, chance.choice(SDPS[2:])) if chance.random() < 0.9 else chance.choice([None, 5, [], {}]),
            "candidate": {
                "candidate": wounded(chance, LINES[0]),
                "sdpMid": chance.choice(["0", None, 5, []]),
                "sdpMLineIndex": chance.choice([0, None, "x"]),
            },
        }
        reply = translator.handle(message)
        assert reply["id"] == seed and len(reply) == 2


def test_all_of_it_is_a_protocol_error():
    assert all(issubclass(allowed, ProtocolError) for many in ALLOWED.values() for allowed in many)
