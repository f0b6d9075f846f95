"""XEP-0215: the specification's own answer, and what a browser would choke on. J-228 … J-234."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import pytest

from jinglebridge.xmpp import extdisco
from jinglebridge.xmpp.extdisco import IceServer, ask, limit, read
from jinglebridge.xmpp.requests import Requests
from tests.unit.fakes import DOMAIN, Sent, settle, stanza

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EXAMPLE = """<services xmlns='urn:xmpp:extdisco:2'><service host='stun.shakespeare.lit' port='9998' transport='udp' type='stun'/>
<service host='relay.shakespeare.lit' password='jj929jkj5sadjfj93v3n' port='9999' transport='udp' type='turn'
 username='nb78932lkjlskjfdb7g8'/>
<service host='192.0.2.1' port='8888' transport='udp' type='stun'/>
<service host='192.0.2.1' port='8889' password='93jn3bakj9s832lrjbbz' transport='udp' type='turn' username='auu98sjl2wk3e9fjdsl7'/>
<service host='ftp.shakespeare.lit' name='Shakespearean File Server' password='guest' port='20' transport='tcp' type='ftp'
 username='guest'/>
</services>"""


async def reply(text: str, kind: str = "result"):
    sent = Sent()
    requests = Requests(sent)
    task = asyncio.create_task(ask(requests, f"anna@{DOMAIN}/w", "im.test", NOW))
    await settle()
    id = sent[0].get("id")
    assert sent[0][0].tag == "{urn:xmpp:extdisco:2}services" and sent[0].get("from") == f"anna@{DOMAIN}/w"
    requests.answered(stanza(f"<iq type='{kind}' id='{id}' from='im.test' to='anna@{DOMAIN}/w'>{text}</iq>"))
    return await task


async def test_the_example_of_the_specification():
    servers, problem = await reply(EXAMPLE)
    assert problem is None
    assert servers == [
        IceServer(("stun:stun.shakespeare.lit:9998",)),
        IceServer(("turn:relay.shakespeare.lit:9999?transport=udp",), "nb78932lkjlskjfdb7g8", "jj929jkj5sadjfj93v3n"),
        IceServer(("turn:192.0.2.1:8889?transport=udp",), "auu98sjl2wk3e9fjdsl7", "93jn3bakj9s832lrjbbz"),
    ]


async def test_a_refusal_or_an_empty_answer_is_told():
    forbidden = "<error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    assert await reply(forbidden, "error") == ([], "forbidden")
    assert await reply("") == ([], "empty answer")
    assert await reply("<services xmlns='urn:xmpp:extdisco:2'/>") == ([], None)


@pytest.mark.parametrize(
    ("attributes", "url"),
    [
        ("type='stun' host='h'", "stun:h:3478"),
        ("type='stun' host='h' port='1' transport='tcp'", "stun:h:1"),  # Chromium throws on ?transport= here
        ("type='stuns' host='h'", "stuns:h:5349"),
        ("type='turn' host='2001:db8::1' username='u' password='p'", "turn:[2001:db8::1]:3478?transport=udp"),
        ("type='turn' host='[2001:db8::1]' username='u' password='p'", "turn:[2001:db8::1]:3478?transport=udp"),
        ("type='turn' host='h' transport='TCP' username='u' password='p'", "turn:h:3478?transport=tcp"),
        ("type='turns' host='h' transport='tcp' username='u' password='p'", "turns:h:5349?transport=tcp"),
    ],
)
def test_urls_a_browser_takes(attributes, url):
    found = read(ET.fromstring(f"<service {attributes}/>"), NOW)
    assert found is not None and found.urls == (url,)


@pytest.mark.parametrize(
    "attributes",
    [
        "",
        "type='ftp' host='h'",
        "type='stun'",
        "type='stun' host='h?x=y'",
        "type='stun' host='h h'",
        "type='stun' host='h' port='-1'",
        "type='turn' host='h'",
        "type='turn' host='h' username='u'",
        "type='turn' host='h' username='u' password='p' transport='sctp'",
        "type='turns' host='h' username='u' password='p' transport='udp'",
    ],
)
def test_what_a_browser_cannot_use_is_left_out(attributes):
    assert read(ET.fromstring(f"<service {attributes}/>"), NOW) is None


@pytest.mark.parametrize(
    ("expires", "seconds"),
    [("2026-01-01T01:00:00Z", 3600), ("2026-01-01T01:00:00", 3600), ("2026-01-01T02:00:00+01:00", 3600), ("soon", None), ("", None)],
)
def test_expiry_in_seconds_from_now(expires, seconds):
    found = read(ET.fromstring(f"<service type='turn' host='h' username='u' password='p' expires='{expires}'/>"), NOW)
    assert found is not None and found.expires == seconds


def test_not_more_than_a_few():
    many = [IceServer((f"{kind}:{n}",)) for n in range(9) for kind in ("turn", "stun")]
    kept = [s.urls[0] for s in limit(many)]
    assert kept == ["stun:0", "turn:0", "turn:1", "turn:2"] and len(kept) == extdisco.MAX_STUN + extdisco.MAX_TURN
