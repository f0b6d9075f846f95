"""Linear growth: four times the input is four times the work, for the input that a hostile peer would choose.

Work is counted in two ways. Calls of functions, Python's and built-in ones, are exact: the same number in each run. A loop inside one
built-in call (a search in a long list, say) makes no calls, so processor time is compared as well, with a margin that only quadratic
growth (sixteen times) passes.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache

import pytest

from jinglebridge.errors import ProtocolError
from jinglebridge.jingle.xep_0166 import JINGLE
from jinglebridge.kept import Kept
from jinglebridge.sdp import parse
from jinglebridge.translate import sdp_to_xml, xml_to_sdp
from jinglebridge.translate.stream import StreamTranslator
from tests.unit.cases import FINGERPRINT, small

SMALL, LARGE = 15 * 1024, 60 * 1024  # bytes; the limit of an SDP is 64 KiB


def filled(line: str, size: int) -> list[str]:
    """As many lines as fit in `size`; {} is the number of each."""
    return [line.replace("{}", str(number)) for number in range(size // (len(line.replace("{}", "1000")) + 2))]


def attributes(line: str) -> Callable[[int], str]:
    """A description of up to 16 sections that are filled with a line."""

    def make(size: int) -> str:
        count = 16 * size // LARGE
        begin, middle = small(kind="video", mid="0").split("m=video", 1)
        body = "\r\n".join([*filled(line, size // count - len(middle)), ""])
        return begin + "".join(f"m=video{middle.replace('a=mid:0', f'a=mid:{index}')}{body}" for index in range(count))

    return make


def one_line(prefix: str, word: str, join: str) -> Callable[[int], str]:
    """Lines near the longest that is allowed, one for every 8 KiB."""

    def make(size: int) -> str:
        words = join.join(word.format(number) for number in range(9000))[:7000].rpartition(join)[0]
        return small(*[f"{prefix}{index} {words}" for index in range(size // 7200)])

    return make


SDPS: dict[str, Callable[[int], str]] = {
    "unknown attributes": attributes("a=x-{}:y"),
    "one unknown attribute": attributes("a=x"),
    "candidates": attributes("a=candidate:{} 1 udp 5 192.0.2.1 9 typ srflx raddr 10.0.0.1 rport 9 network-cost 9 x-long-word-{} {}"),
    "candidates of nobody": attributes("a=candidate:{} 1 udp 5 example.org 9 typ host x-much-longer-than-that y{}"),
    "feedback": attributes("a=rtcp-fb:111 nack x{}"),
    "feedback of nothing": attributes("a=rtcp-fb:{} nack"),
    "formats of nothing": attributes("a=fmtp:{} a=b;c"),
    "maps of one": attributes("a=rtpmap:111 opus/48000/2 {}"),
    "header extensions": attributes("a=extmap:{} urn:x"),
    "sources": attributes("a=ssrc:5 attribute{}:value"),
    "source groups": attributes("a=ssrc-group:FID 1 {}"),
    "fingerprints": attributes(f"a=fingerprint:{FINGERPRINT}"),
    "bandwidths": attributes("b=AS:{}"),
    "layers": attributes("a=rid:{} send"),
    "ends": attributes("a=end-of-candidates"),
    "groups": lambda size: small(head=tuple(filled("a=group:BUNDLE 0 {}", size))),
    "session attributes": lambda size: small(head=tuple(filled("a=x-{}:y", size))),
    "session fingerprints": lambda size: small(head=tuple(filled(f"a=fingerprint:{FINGERPRINT}", size))),
    "parameters of a codec": one_line("a=fmtp:11", "p{}=v", ";"),
    "words of a candidate": one_line("a=candidate:1 1 udp 5 192.0.2.1 9 typ host ", "n{} v", " "),
    "members of a group": one_line("a=group:LS", "{}", " "),
    "words of feedback": one_line("a=rtcp-fb:111 ccm x", "n{}=v", " "),
    "blanks": lambda size: small(*["a=x:" + " " * 7000] * (size // 7200)),
}

HEAD = '<jingle xmlns="urn:xmpp:jingle:1" action="session-initiate" sid="a">'
CONTENT = '<content creator="initiator" name="0">'
RTP = '<description xmlns="urn:xmpp:jingle:apps:rtp:1" media="audio"><payload-type id="111" name="opus" clockrate="48000"/>'
ICE = '<transport xmlns="urn:xmpp:jingle:transports:ice-udp:1" ufrag="ufra" pwd="0123456789012345678901">'
PRINT = f'<fingerprint xmlns="urn:xmpp:jingle:apps:dtls:0" hash="sha-256" setup="actpass">{FINGERPRINT[8:]}</fingerprint>'
PRIVATE = '<sdp xmlns="urn:jinglebridge:sdp:0">'


def stanza(rtp: str = "", ice: str = "", content: str = "", session: str = "") -> Callable[[int], str]:
    """A stanza, one of whose parts is repeated until it is large."""

    def make(size: int) -> str:
        inner = ["".join(filled(part, size)) for part in (rtp, ice)]
        private = [f"{PRIVATE}{''.join(filled(part, size))}</sdp>" for part in (content, session)]
        description = f"{RTP}{inner[0]}<rtcp-mux/></description>"
        return f"{HEAD}{CONTENT}{description}{ICE}{PRINT}{inner[1]}</transport>{private[0]}</content>{private[1]}</jingle>"

    return make


XMLS: dict[str, Callable[[int], str]] = {
    "payload types": stanza(rtp='<payload-type id="96" name="x{}" clockrate="8000"/>'),
    "unknown children": stanza(rtp='<x{} xmlns="urn:x"/>'),
    "nested children": lambda size: stanza(rtp="<x>" * (size // 1000) + "</x>" * (size // 1000))(900),
    "feedback": stanza(rtp='<rtcp-fb xmlns="urn:xmpp:jingle:apps:rtp:rtcp-fb:0" type="x{}"/>'),
    "candidates": stanza(
        ice='<candidate component="1" foundation="{}" generation="0" id="{}" ip="192.0.2.1" port="9" priority="5" type="host"/>'
    ),
    "fingerprint text": stanza(ice='<fingerprint xmlns="urn:xmpp:jingle:apps:dtls:0" hash="x">AB:AB</fingerprint>'),
    "attributes": lambda size: stanza(rtp="<x " + " ".join(filled('a{}="b"', size)) + "/>")(1),
    "entities": stanza(rtp="<x>&amp;&lt;&#65;</x>"),
    "blanks": stanza(rtp="<x>" + " " * 500 + "</x>"),
    "private lines": stanza(content="<line>a=x-{}:y</line>"),
    "private spellings": stanza(content="<as>a=rtpmap:111 opus/48000/2 {}</as>"),
    "private formats": stanza(content='<format id="{}" at="0"/>'),
    "private candidates": stanza(content='<candidate id="{}" tail="x=y"/>'),
    "private session lines": stanza(session="<line>a=x-{}:y</line>"),
    "private lifts": stanza(session='<lift attribute="x{}" names="0"/>'),
    "private groups": stanza(session='<group semantics="BUNDLE" names="0 {}"/>'),
}


@cache
def memories() -> list[Kept]:
    """What is remembered of earlier input, which would make some input cheaper than it is for a stranger."""
    for xml in (XMLS["unknown children"](SMALL), sdp_to_xml(small(kind="video"), extensions=True)):
        JINGLE.read(xml)
    return [found for found in gc.get_objects() if isinstance(found, Kept)]


def fresh(work: Callable[[], object]) -> None:
    for memory in memories():
        memory.clear()
    with suppress(ProtocolError):
        work()


def calls(work: Callable[[], object]) -> int:
    """Calls that `work` makes."""
    count = 0

    def counted(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    fresh(work)  # what is made once, such as the readers of the tables
    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        fresh(work)
    finally:
        sys.setprofile(before)
    return count


def seconds(work: Callable[[], object]) -> float:
    """Processor time of the fastest of five runs."""
    found = []
    for _ in range(5):
        began = time.process_time()
        fresh(work)
        found.append(time.process_time() - began)
    return min(found)


def linear(work: Callable[[str], object], make: Callable[[int], str]) -> None:
    little, much = make(SMALL), make(LARGE)
    times = len(much) / len(little)
    assert calls(lambda: work(much)) <= times * 1.3 * calls(lambda: work(little)) + 2000
    # Below a few milliseconds the clock says nothing, and nothing can be wrong.
    assert seconds(lambda: work(much)) <= max(0.02, times * 2.5 * seconds(lambda: work(little)))


@pytest.mark.parametrize("name", SDPS)
def test_reading_and_translating_an_sdp_is_linear(name):
    assert 0.8 * LARGE < len(SDPS[name](LARGE)) < 64 * 1024
    linear(parse, SDPS[name])
    linear(sdp_to_xml, SDPS[name])
    linear(lambda text: xml_to_sdp(sdp_to_xml(text, extensions=True), extensions=True), SDPS[name])


@pytest.mark.parametrize("name", XMLS)
def test_reading_and_translating_xml_is_linear(name):
    linear(JINGLE.read, XMLS[name])
    linear(lambda text: xml_to_sdp(text, extensions=True), XMLS[name])


def test_the_stream_is_linear_in_the_messages_of_a_call():
    """A call that goes on for ever costs the same for each message."""

    def work(count: int) -> Callable[[], object]:
        init = {"candidate": "candidate:1 1 udp 5 192.0.2.1 9 typ host", "sdpMid": "0"}

        def run() -> None:
            stream = StreamTranslator()
            stream.handle({"id": 0, "call": "c", "dir": "a2b", "kind": "offer", "sdp": small()})
            stream.handle({"id": 0, "call": "c", "dir": "b2a", "kind": "answer", "sdp": small().replace("actpass", "active")})
            for number in range(count):
                reply = stream.handle({"id": number, "call": "c", "dir": "a2b", "kind": "candidate", "candidate": init})
                assert "error" not in reply

        return run

    assert calls(work(400)) <= 4.3 * calls(work(100))
