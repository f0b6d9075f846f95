"""Properties of everything that is read and written, for generated input. The same input in every run; a failure prints its example.

Every Element table of `jinglebridge.jingle` is tested because it is there: a new XEP has these tests without asking.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import xml.etree.ElementTree as ET
from copy import deepcopy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import jinglebridge.jingle
from jinglebridge.errors import BadRequest, ProtocolError
from jinglebridge.jingle.roles import Role, Senders, direction_to_senders, senders_to_direction
from jinglebridge.sdp import Direction, SessionDescription, parse
from jinglebridge.translate import sdp_to_xml, xml_to_sdp
from jinglebridge.xml import Attr, Child, Children, Choice, Element, Flag, Text, TextChild, Unknown, Variants, parse_text, to_text
from jinglebridge.xmlparts import REQUIRED
from tests.fuzz.mutations import NASTY
from tests.fuzz.targets import SEEDS, TARGETS, alike, seeds, well_formed

pytestmark = pytest.mark.no_cover  # see pyproject.toml


examples = settings(max_examples=100, suppress_health_check=list(HealthCheck))

# Values of which every attribute of Jingle takes some.
POOL = (
    *("", "a", "0", "1", "9", "30", "96", "111", "127", "128", "255", "1000", "5000", "65535", "2113937151", "4294967295", "-1", "x" * 40),
    *("audio", "video", "opus", "VP8", "48000", "90000", "AS", "TIAS", "BUNDLE", "LS", "FID", "nack", "pli", "cname", "msid", "apt"),
    *("both", "initiator", "responder", "none", "session", "active", "passive", "actpass", "holdconn", "so", "true", "false"),
    *("host", "srflx", "prflx", "relay", "udp", "UDP", "tcp", "192.0.2.1", "2001:db8::1", "a.local", "0.0.0.0", "sha-256", "sha-1"),
    *("ufra", "0123456789012345678901", ":".join(["AB"] * 32), "urn:ietf:params:rtp-hdrext:sdes:mid", "a b", "  ", "session-initiate"),
    *("a=rid:hi send", "a=x", "a=simulcast:send hi", "b=AS:5", "i=a b", "m=audio 0 RTP/AVP 0", "a=mid:0"),
    *(
        "transport-info",
        "offer",
        "session-info",
        "slides",
        "speaker",
        "main",
        "alt",
        "webrtc-datachannel",
        "generation ufrag=x",
        "direction",
        "mid",
        "user@host/x",
    ),
)
CHARACTERS = st.text(st.characters(exclude_categories=("Cs",), max_codepoint=0x2FFFF), max_size=12)
LEGAL = CHARACTERS.filter(lambda text: all(c in "\t\n\r" or (" " <= c and c not in "\ufffe\uffff") for c in text))


def tables() -> dict[str, Element]:
    found = {}
    for module in pkgutil.iter_modules(jinglebridge.jingle.__path__, "jinglebridge.jingle."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, Element):
                found.setdefault(id(value), (f"{module.name.rpartition('.')[2]}.{name}", value))
    return dict(found.values())


TABLES = tables()


def values_of(part: Attr | Text | TextChild, tidy: bool) -> st.SearchStrategy[str]:
    """`_values_of`, made once for each part."""
    if (id(part), tidy) not in _VALUES:
        _VALUES[id(part), tidy] = _values_of(part, tidy)
    return _VALUES[id(part), tidy]


_VALUES: dict[tuple[int, bool], st.SearchStrategy[str]] = {}


def _values_of(part: Attr | Text | TextChild, tidy: bool) -> st.SearchStrategy[str]:
    """What the type of the part takes; if not `tidy` also anything that XML can hold."""
    good = []
    for value in POOL:
        try:
            part.type.parse(value)
            good.append(value)
        except ValueError:
            continue
    known = st.sampled_from(good)
    return known if tidy else st.one_of(known, LEGAL, st.builds(str.__add__, known, LEGAL), st.sampled_from(POOL))


FOREIGN = st.builds(
    lambda tag, text, name, value: _element(tag, {name: value}, text),
    st.sampled_from(("{urn:other}thing", "{urn:xmpp:jingle:1}thing", "{urn:xmpp:jingle:apps:rtp:1}zrtp-hash")),
    LEGAL,
    st.sampled_from(("a", "b-c", "{urn:y}z", "{http://www.w3.org/XML/1998/namespace}lang")),
    LEGAL,
)


def _element(tag: str, attributes: dict[str, str], text: str = "", children: list[ET.Element] | None = None) -> ET.Element:
    el = ET.Element(tag, attributes)
    el.text = text or None
    el.extend(children or ())
    return el


@st.composite
def elements(draw: st.DrawFn, table: Element, depth: int = 0) -> ET.Element:
    """An element as `table` describes it, to the letter or not."""
    attributes, children, text, tidy = {}, [], "", draw(st.booleans())
    for part in table.parts:
        match part:
            case Attr(name, default=default):
                # A required one is nearly always there.
                if (tidy and default is REQUIRED) or draw(st.integers(0, 9)) > (0 if default is REQUIRED else 5):
                    attributes[name] = draw(values_of(part, tidy))
            case Text():
                text = draw(values_of(part, tidy))
            case Child(element):
                children += draw(st.lists(elements(element, depth + 1), max_size=2 if depth < 2 else 1))
            case Children(element):
                children += draw(st.lists(elements(element, depth + 1), max_size=2))
            case Flag(ns, tag):
                children += [ET.Element(f"{{{ns}}}{tag}")] * draw(st.integers(0, 1))
            case TextChild(ns, tag):
                children += [_element(f"{{{ns}}}{tag}", {}, draw(values_of(part, tidy)))] * draw(st.integers(0, 1))
            case Choice(ns):
                children += [ET.Element(f"{{{ns}}}{draw(st.sampled_from(('busy', 'decline', 'gone')))}")] * draw(st.integers(0, 1))
            case Variants(variants):
                children += draw(st.lists(st.one_of([elements(one, depth + 1) for one in variants.values()]), max_size=2))
            case Unknown():
                children += draw(st.lists(FOREIGN, max_size=1))
    return _element(table.clark, attributes, text, children)


@pytest.mark.parametrize("name", TABLES)
def test_what_is_written_is_read_as_the_same_and_the_two_writers_agree(name):
    table, good = TABLES[name], set()

    @examples
    @given(elements(table))
    def holds(el):
        try:
            value = table.parse(el)
        except BadRequest:
            return
        built = table.build(value)
        text = to_text(built)
        good.add(text)
        assert table.text(value) == text
        well_formed(text)
        again = table.parse(parse_text(text))
        assert alike(table.parse(built), value, written=True) and alike(again, value, written=True)
        assert table.text(again) == text
        assert alike(table.read(text), again)

    holds()
    assert len(good) >= 4, "hardly anything is accepted: the generator misses the table"


LINES = st.one_of(
    st.sampled_from(sorted({line for text in seeds("sdp") for line in text.splitlines() if line[:2] in ("a=", "b=", "m=")})),
    st.builds(
        lambda name, value: f"a={name}:{value}", st.sampled_from(("x", "rtpmap", "mid", "ssrc", "candidate")), LEGAL.filter(str.isprintable)
    ),
)


@examples
@given(st.lists(LINES, max_size=30))
def test_any_lines_are_the_same_after_parse_and_format(lines):
    text = "\r\n".join(["v=0", *lines, ""])
    try:
        found = parse(text)
    except ProtocolError:
        return
    assert found.format() == text == parse(text.replace("\r\n", "\n")).format()
    assert [section.lines for section in parse(found.format()).media] == [section.lines for section in found.media]


@examples
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("audio", "video", "text")), st.lists(st.tuples(st.from_regex(r"[a-z-]{1,9}", fullmatch=True), CHARACTERS))
        )
    )
)
def test_a_description_that_was_put_together_is_read_as_the_same(sections):
    sdp = SessionDescription()
    sdp.line("v=0")
    for kind, attributes in sections[:16]:
        media = sdp.add_media(kind, 9, "UDP/TLS/RTP/SAVPF", ("96",))
        for name, value in attributes:
            if value.isprintable() and name not in ("mid", "candidate", "ssrc", "rtpmap"):
                media.add(name, value)
    again = parse(sdp.format())
    assert [(m.lines, m.attributes, m.kind, m.formats) for m in again.media] == [
        (m.lines, m.attributes, m.kind, m.formats) for m in sdp.media
    ]


@pytest.mark.parametrize("author", Role)
def test_senders_and_directions_are_each_other_s_inverse_for_both_authors(author):
    assert all(direction_to_senders(senders_to_direction(senders, author), author) is senders for senders in Senders)
    assert all(senders_to_direction(direction_to_senders(direction, author), author) is direction for direction in Direction)


def positions(el: ET.Element) -> list[tuple[ET.Element, str | None]]:
    """Every place in a tree where text may stand: attributes, and the text of elements that have it (None)."""
    found: list[tuple[ET.Element, str | None]] = [(el, name) for name in el.attrib]
    if el.text and el.text.strip():
        found.append((el, None))
    return found + [place for child in el for place in positions(child)]


@pytest.mark.parametrize("name", [path.name for path in sorted((SEEDS / "xml").iterdir())[::2]])
def test_the_reader_of_text_is_never_more_lenient_than_the_parser(name):
    """Each tag of a stanza goes, stands twice, gets text behind it, loses its end or its quotes. Twice, for what is remembered."""
    pieces = re.findall("<[^<]*", seed("xml", name))
    for number, piece in enumerate(pieces):
        bare = piece.replace("/>", ">")
        for new in (
            "",
            piece * 2,
            piece + "text",
            f"<x>{piece}</x>",
            f"{piece}</x>",
            bare,
            piece[:-1],
            piece.replace('"', "", 1),
            piece.replace(" ", "", 1),
        ):
            text = "".join([*pieces[:number], new, *pieces[number + 1 :]])
            for _ in range(2):
                TARGETS["xml"].run(text)


INJECTED = "a=injected:1"
ENDS = (
    "\r\n",
    "\n",
    "\r",
    "\0",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x85",
    "\u2028",
    "\u2029",
    "\ud800",
    "]]>",
    '"',
    "'",
    " ",
    "<",
    "&",
    "\t",
    "\ufffe",
)


@pytest.mark.parametrize("extensions", [False, True])
@pytest.mark.parametrize("name", ["everything.xml", "wrong.xml"])
def test_no_value_in_xml_makes_a_new_line_of_sdp(name, extensions):
    """Each attribute and each text of a stanza, private elements included, tries to end its line and begin another."""
    source = parse_text(seed("private", name))
    told = 0
    for number in range(len(positions(source))):
        for end in ENDS:
            tree = deepcopy(source)
            el, attribute = positions(tree)[number]
            old = el.text if attribute is None else el.get(attribute)
            # A typed value such as a number is refused; text that goes through must stay in its line.
            for new in (f"{old}{end}{INJECTED}{end}m=audio 1 RTP/AVP 0", f"{old}{end}", f"{old[:3]}{end}{INJECTED}"):
                if attribute is None:
                    el.text = new
                else:
                    el.set(attribute, new)
                try:
                    lines = xml_to_sdp(to_text(tree), extensions=extensions).split("\r\n")
                except ProtocolError:
                    continue
                told += 1
                assert INJECTED not in lines and "m=audio 1 RTP/AVP 0" not in lines, (el.tag, attribute, new)
                assert all("\r" not in line and "\n" not in line and "\0" not in line for line in lines)
    assert told > 100


@pytest.mark.parametrize("extensions", [False, True])
def test_no_value_in_sdp_makes_a_new_element_or_attribute(extensions):
    """Each line of a description tries to end its attribute or its element."""
    lines = seed("sdp", "everything.sdp").splitlines()
    told = 0
    for number, line in enumerate(lines):
        for end in (*ENDS, '">', "'>", '"/>', "&#10;", "&quot;", "<![CDATA["):
            for new in (f"{line}{end}<injected/>", f'{line}{end} injected="1', f"{line[:-2]}{end}<injected injected='1'>{line[-2:]}"):
                text = "\r\n".join([*lines[:number], new, *lines[number + 1 :], ""])
                try:
                    tree = well_formed(sdp_to_xml(text, extensions=extensions))
                except ProtocolError:
                    continue
                told += 1
                for el in tree.iter():
                    assert not el.tag.endswith("injected") and not any(key.endswith("injected") for key in el.attrib), new
    assert told > 500


def seed(folder: str, name: str) -> str:
    return (SEEDS / folder / name).read_bytes().decode()


@pytest.mark.parametrize("name", TARGETS)
def test_any_text_gives_a_good_result_or_a_typed_error(name):
    target, sources = TARGETS[name], seeds(name)
    bits = st.lists(st.one_of(st.sampled_from(NASTY), st.text(max_size=20), st.sampled_from(sources)), max_size=6).map("".join)

    @examples
    @given(bits)
    def holds(text):
        try:
            target.run(text)
        except target.allowed:
            pass

    holds()
