"""IQs and JMI messages are read as text only where nothing can be misread: the parser would have said the same. J-246, J-011."""

from __future__ import annotations

import random
import re
import xml.etree.ElementTree as ET
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
from slixmpp import ComponentXMPP

from jinglebridge.errors import BadRequest
from jinglebridge.jingle import JMI_TAGS, Jingle, Jmi, build_jingle, build_jmi, parse_jingle, parse_jmi, plain_jingle, plain_jmi
from jinglebridge.xml import to_text
from jinglebridge.xmpp import framing
from jinglebridge.xmpp.framing import Head
from jinglebridge.xmpp.requests import Requests
from jinglebridge.xmpp.router import Answer, Handler, Router
from jinglebridge.xmpp.stanza import Stanza
from tests.unit.fakes import DOMAIN, OPEN, component, logged

PAYLOADS = "".join(f"<payload-type id='{n}' name='codec{n}' clockrate='90000'/>" for n in range(40))
JINGLE = (
    "<jingle xmlns='urn:xmpp:jingle:1' action='session-accept' sid='s'><content creator='initiator' name='0'>"
    f"<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>{PAYLOADS}</description></content></jingle>"
)
INFO = (
    "<jingle xmlns='urn:xmpp:jingle:1' action='transport-info' sid='s'><content creator='initiator' name='0'>"
    "<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='u' pwd='p'><candidate component='1' foundation='1' generation='0' "
    "id='c' ip='192.0.2.1' network='0' port='9' priority='1' protocol='udp' type='host'/></transport></content></jingle>"
)
IQ = f"<iq xml:lang='en' to='b@{DOMAIN}/w' from='a@x/r' type='set' id='q1'>{JINGLE}</iq>"
SHORT = IQ.replace(JINGLE, INFO)
RESULT = f"<iq to='b@{DOMAIN}/w' from='a@x/r' type='result' id='q1'/>"
JMI_NS = "xmlns='urn:xmpp:jingle-message:0'"
RINGING = f"<ringing {JMI_NS} id='s'/>"
FINISH = f"<finish {JMI_NS} id='s'><reason xmlns='urn:xmpp:jingle:1'><success/></reason></finish>"
PROPOSE = f"<propose {JMI_NS} id='s'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose>"
DELAY = "<delay xmlns='urn:xmpp:delay' stamp='2020-01-01T00:00:00Z'/>"
STORE, REQUEST = "<store xmlns='urn:xmpp:hints'/>", "<request xmlns='urn:xmpp:receipts'/>"
JMI = f"<message xml:lang='en' to='b@{DOMAIN}/w' from='a@x/r' type='chat' id='q1'>{PROPOSE}{REQUEST}{STORE}</message>"
RECEIPT = "{urn:xmpp:receipts}request"
MESSAGE = f"<message to='b@{DOMAIN}/w' from='a@x/r'><body>text</body></message>"


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("payload", [JINGLE, INFO])
def test_a_jingle_set_is_read(payload: str, quote: str):
    text = IQ.replace(JINGLE, payload).replace("'", quote)
    for _ in range(2):  # the second time its head is known
        found = framing.stanza("x" + text + RESULT, 1)
        assert found == (Head.of("iq", "set", "a@x/r", f"b@{DOMAIN}/w"), "q1", payload.replace("'", quote), len(text) + 1)
        assert plain_jingle(found[2]) == parse_jingle(ET.fromstring(payload))


def test_an_empty_result_is_read():
    head = Head.of("iq", "result", "a@x/r", f"b@{DOMAIN}/w")
    assert framing.stanza(RESULT + IQ, 0) == (head, "q1", "", len(RESULT))
    first = RESULT.replace(" id='q1'", "").replace("<iq", "<iq id='1\"'")
    assert framing.stanza(first, 0) == (head, '1"', "", len(RESULT))


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("element", [RINGING, FINISH, PROPOSE])
def test_a_jmi_message_is_read(element: str, quote: str):
    for behind, receipt in (("", False), (STORE, False), (REQUEST + STORE, True), (STORE + REQUEST + STORE, True)):
        payload = (element + behind).replace("'", quote)
        text = JMI.replace("'", quote).replace((PROPOSE + REQUEST + STORE).replace("'", quote), payload)
        found = framing.stanza("x" + text + RESULT, 1)
        assert found == (Head.of("message", "chat", "a@x/r", f"b@{DOMAIN}/w"), "q1", payload, len(text) + 1)
        assert framing.parted(payload) == (element.replace("'", quote), receipt)
        assert plain_jmi(element.replace("'", quote)) == parse_jmi(ET.fromstring(element))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<message ", "<messages "),
        ("<message ", "<presence "),
        (" id='q1'", ""),
        ("type='chat'", ""),
        ("<propose ", "<body>x</body><propose "),
        ("<propose ", "<proposes "),
        ("</message>", "</iq>"),
        ("id='s'", f"id='{'s' * 2000}'"),
        ("'urn:xmpp:hints'", '"urn:xmpp:hints"'),
    ],
)
def test_any_other_message_is_left_to_the_parser(old: str, new: str):
    assert old in JMI and framing.stanza(JMI.replace(old, new, 1), 0) is None


@pytest.mark.parametrize(
    "behind",
    [
        DELAY,
        "<body>x</body>",
        "<store xmlns='urn:x'/>",
        "<request/>",
        "<request xmlns='urn:xmpp:receipts' id='x'/>",
        "<request xmlns='urn:xmpp:receipts\"/>",
        " ",
        "x",
        "<!-- -->",
        "</propose>",
        RINGING,
        PROPOSE,
    ],
)
def test_with_anything_else_behind_its_element_it_is_left_to_the_parser(behind: str):
    for element in (PROPOSE, RINGING):
        assert framing.parted(element + behind) is None and framing.parted(element + STORE + behind) is None


@pytest.mark.parametrize("payload", ["<propose x='1'>", "<propose >", "<propose></propose>", "<propose ", "<propose x='/>'></propose>", ""])
def test_what_is_no_element_may_be_cut_anywhere_but_is_not_read(payload: str):
    parted = framing.parted(payload)
    assert parted is None or plain_jmi(parted[0]) is None


def test_a_short_text_with_quotes_of_two_kinds_is_left_to_the_parser():
    assert framing.stanza(SHORT, 0) is not None and framing.stanza(SHORT.replace("'c'", '"c"'), 0) is None
    assert framing.stanza(IQ.replace("'codec1'", '"codec1"'), 0) is not None


def test_addresses_are_prepared():
    found = framing.stanza(RESULT.replace("a@x/r", "A@X/Ré"), 0)
    assert found is not None and found[0].sender == "a@x/Ré"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<iq ", "<iqq "),
        ("<iq ", "<message "),
        ("<iq ", " <iq "),
        ("<iq ", "<iq  "),
        ("</iq>", ""),
        ("type='set'", "type='set' type='set'"),
        ("type='set'", "type='set' xmlns='urn:x'"),
        ("type='set'", ""),
        (" type='set'", "type='set'"),
        ("id='q1'", "id='q&amp;1'"),
        ("id='q1'", "id='q\n1'"),
        ("id='q1'", "id='q\x011'"),
        ("id='q1'", "id='q<1'"),
        ("id='q1'", "id='q>1'"),
        ("id='q1'", "id = 'q1'"),
        ("id='q1'", "id='q1' "),
        ("id='q1'", "id='q1"),
        ("id='q1'", f"id='{'q' * 1000}'"),
        ("id='q1'", "id=q1"),
        ("id='q1'", "'id='q1'"),
        ("id='q1'", ""),
        ("id='q1'", "id='q1' id='q2'"),
        ("to='b", "to='x id='y'' to='b"),
        ("to='b", "xml:lang=' id='y'' to='b"),
        ("from='a@x/r'", "from='@'"),
        ("<jingle ", "<query/><jingle "),
        ("<jingle ", "<jinglee "),
        ("<payload-type id='0'", f"<payload-type id='{'0' * 64 * 1024}'"),
        ("<iq ", "<iq x:y='1' "),
        ("xml:lang", "xml:space"),
    ],
)
def test_anything_else_is_left_to_the_parser(old, new):
    for _ in range(2):
        assert old in IQ and framing.stanza(IQ.replace(old, new, 1), 0) is None


async def test_order_is_kept_and_each_stanza_comes_once():
    made, _ = component()
    came: list[str] = []
    made.on_stanza = lambda element: came.append(element.get("id", element.tag.rpartition("}")[2]))

    def plain(head: framing.Head, id: str, payload: str) -> bool:
        came.append(f"{head.type} {id}")
        return id != "no"

    made.on_plain = plain
    made.data_received("".join((RESULT, IQ, MESSAGE, IQ.replace("q1", "no"), MESSAGE, JMI, MESSAGE, SHORT)).encode())
    assert came == ["result q1", "set q1", "message", "set no", "no", "message", "chat q1", "message", "set q1"]


async def test_inside_another_stanza_nothing_is_taken_for_one():
    made, _ = component()
    came: list[ET.Element] = []
    made.on_stanza = came.append
    made.on_plain = lambda *_: 1 / 0  # type: ignore[return-value]
    made.data_received(f"<message from='a@x' to='b@{DOMAIN}'><forwarded>".encode())
    made.data_received(f"{IQ}</forwarded></message>".encode())
    assert len(came) == 1 and came[0][0][0].get("id") == "q1"


@pytest.mark.parametrize("odd", [b"<!-- x>", b"<?x >"])
async def test_nor_in_a_comment_between_stanzas(odd: bytes):
    made, _ = component()
    made.on_plain = lambda *_: 1 / 0  # type: ignore[return-value]
    came: list[ET.Element] = []
    made.on_stanza = came.append
    made.data_received(odd)
    with logged() as lines:
        made.data_received(RESULT.encode() + (b"-->" if b"!" in odd else b"?>") + MESSAGE.encode())
    assert [e.tag.rpartition("}")[2] for e in came] == ["message"] and lines == []


@pytest.mark.parametrize("end", ["</stream:stream>", "<a></b>", "\x00"])
async def test_behind_the_end_of_the_stream_nothing_is_read(end: str):
    made, _ = component()
    came: list[str] = []
    made.on_plain = lambda head, id, payload: came.append(id) or True  # type: ignore[func-returns-value]
    made.on_stanza = lambda element: came.append("")
    made.data_received(f"{RESULT}{end}{RESULT}".encode())
    made.data_received(RESULT.encode())
    assert came == ["q1"]


async def test_bytes_that_are_not_text_are_left_to_the_parser():
    made, _ = component()
    made.on_plain = lambda *_: 1 / 0  # type: ignore[return-value]
    made.data_received(RESULT.encode().replace(b"q1", b"q\xff"))
    assert made.parser is None, "it has ended the stream"


async def test_a_handler_that_fails_takes_nothing_with_it():
    made, _ = component()
    came: list[ET.Element] = []
    made.on_stanza = came.append
    made.on_plain = lambda *_: 1 / 0  # type: ignore[return-value]
    made.data_received(f"{IQ}{MESSAGE}".encode())
    assert [e.tag.rpartition("}")[2] for e in came] == ["message"] and made.up


# --- with and without a tree


class Bridge:
    """A component with a router behind it. `told`: what came out."""

    def __init__(self, *, plain: bool) -> None:
        self.component, self.transport = component()
        self.told: list[object] = []
        self.trees = self.jmi_trees = 0
        self.requests = Requests(lambda stanza: True)
        router = Router(DOMAIN, self.component.send, self.requests)
        router.iq["set", "{urn:xmpp:jingle:1}jingle"] = self._tree
        router.jingle = self._text
        router.hidden = lambda stanza: stanza.sender == "b@x/r"
        router.blocked = lambda jid: jid == "c@x/r"
        router.shuns = lambda own, peer: peer == "d@x"
        router.presence = lambda stanza: self.told.append(("presence", stanza.sender))
        router.message["{jabber:component:accept}body"] = lambda stanza: self.told.append(("message", stanza.sender, stanza.id))
        self.component.on_stanza = router.route
        for tag in JMI_TAGS:
            router.message[tag] = self._jmi_tree
        router.jmi = self._jmi_text
        if plain:
            self.component.on_plain = router.route_plain

    def _asked(self, number: int) -> Callable[..., None]:
        return lambda payload, *conditions: self.told.append((number, None if payload is None else to_text(payload), *conditions))

    def _tree(self, stanza: Stanza) -> Answer:
        self.trees += 1
        assert stanza.payload is not None
        return self._heard(stanza, parse_jingle(stanza.payload))

    def _text(self, stanza: Stanza, text: str) -> Answer | None:
        jingle = plain_jingle(text)
        return None if jingle is None else self._heard(stanza, jingle)

    def _heard(self, stanza: Stanza, jingle: Jingle) -> Answer:
        said = re.sub(" at 0x[0-9a-f]+", "", repr(jingle)), to_text(build_jingle(jingle))
        return Answer(then=lambda: self.told.append((stanza.sender, stanza.to, stanza.id, *said)))

    def _jmi_tree(self, stanza: Stanza) -> None:
        self.jmi_trees += 1
        assert stanza.payload is not None
        try:
            jmi = parse_jmi(stanza.payload)
        except BadRequest as error:
            self._bad(error, stanza)
        else:
            self._said(jmi, stanza.find(RECEIPT) is not None, stanza)

    def _jmi_text(self, text: str) -> Handler | None:
        element, receipt = framing.parted(text) or ("", False)
        try:
            jmi = plain_jmi(element)
        except BadRequest as error:
            return partial(self._bad, error)
        return None if jmi is None else partial(self._said, jmi, receipt)

    def _bad(self, error: BadRequest, stanza: Stanza) -> None:
        self.told.append((stanza.sender, stanza.to, stanza.id, str(error)))

    def _said(self, jmi: Jmi, receipt: bool, stanza: Stanza) -> None:
        said = re.sub(" at 0x[0-9a-f]+", "", repr(jmi)), to_text(build_jmi(jmi))
        self.told.append((stanza.sender, stanza.to, stanza.id, stanza.type, *said, receipt))

    def stream(self, pieces: list[bytes]) -> list[object]:
        """What comes of a new stream."""
        self.told.clear()
        self.component._held = []
        self.component.connection_made(self.transport)
        self.component.data_received(OPEN + b"<handshake/>")
        self.requests._open = {f"r{number}": ("a@x/r", self._asked(number), deque()) for number in range(20)}
        for piece in pieces:
            self.component.data_received(piece)
        return [*self.told, [ET.tostring(e) for e in self.transport.stanzas()], self.component.parser is None]


def stanza(chance: random.Random) -> str:
    """One of those that a stream has, mostly with something that is not as it should be."""
    text = chance.choice([IQ, SHORT, SHORT, SHORT, RESULT, RESULT, RESULT, MESSAGE, MESSAGE.replace("message", "presence"), JMI, JMI, JMI])
    if text is JMI:
        behind = chance.choice(["", STORE, STORE, REQUEST + STORE, DELAY + STORE, "<body>x</body>", RINGING])
        text = text.replace(PROPOSE + REQUEST + STORE, chance.choice([PROPOSE, RINGING, FINISH]) + behind)
    text = text.replace("q1", f"r{chance.randrange(25)}", 1).replace(
        "a@x/r", chance.choice(["a@x/r"] * 9 + ["A@X/r", "b@x/r", "c@x/r", "d@x/r", "@"])
    )
    if chance.random() < 0.1:
        text = text.replace("'", '"')
    while chance.random() < 0.4:
        at = chance.randrange(len(text)) if chance.random() < 0.5 else chance.choice([n for n, c in enumerate(text) if c in "<>'/ "])
        text = text[:at] + chance.choice(ODD) + text[at + chance.choice([0, 0, 0, 1, 1, 2, 9]) :]
    return text


ODD = [
    *"'\"<>/& x=\n\0\x01é\ufffe\u00a0",
    "",
    "<a/>",
    "<a>",
    "</a>",
    "&lt;",
    "&x;",
    "<!--",
    "-->",
    "<!-- x -->",
    "<![CDATA[",
    "]]>",
    "<?x ?>",
    " a='b'",
    " id='r1'",
    " xmlns='urn:x'",
    " type='error'",
    " type='get'",
    " xml:lang='x'",
    " p:a='b'",
    " xmlns:p='urn:x'",
    "</iq>",
    "<iq>",
    "<iq ",
    RESULT,
    SHORT,
    "</jingle>",
    " type='groupchat'",
    "</message>",
    "<message ",
    "</propose>",
    "</finish>",
    PROPOSE,
    RINGING,
    STORE,
    REQUEST,
    DELAY,
    JMI,
    "<jingle xmlns='urn:xmpp:jingle:1'/>",
    "<candidate component='1'/>",
    "<transport/>",
    "text",
    "  ",
]


@pytest.mark.no_cover
async def test_with_and_without_a_tree_the_same_happens(monkeypatch: pytest.MonkeyPatch):
    """Of any stream, however it is cut: whole stanzas, damaged ones, and what follows them."""
    monkeypatch.setattr(ComponentXMPP, "disconnect", lambda *args, **options: None)
    chance = random.Random(1)
    fast, slow = Bridge(plain=True), Bridge(plain=False)
    for _ in range(2000):
        data = "".join(stanza(chance) for _ in range(chance.randrange(1, 8))).encode()
        cuts = sorted(chance.choices(range(len(data) + 1), k=chance.choice([0, 0, 1, 3])))
        pieces = [data[a:b] for a, b in pairwise([0, *cuts, len(data)])]
        with logged():
            found, wanted = fast.stream(pieces), slow.stream(pieces)
        assert found == wanted, (data, cuts)
    assert 0 < fast.trees < 0.6 * slow.trees, "hardly anything is read as text"
    assert 0 < fast.jmi_trees < 0.6 * slow.jmi_trees, "hardly any message is"
