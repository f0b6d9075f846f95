"""A <jingle/> that is text reads to what ElementTree and the tables say of it, also where most of it is known."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jinglebridge.errors import BadRequest
from jinglebridge.jingle import forget_trickled, parse_jingle, plain, plain_jingle, xep_0176
from jinglebridge.xml import parse_text
from tests.unit.test_xmlpieces import result

VALUES = {"component": 1, "foundation": 1, "generation": 0, "id": "c", "ip": "192.0.2.1", "network": 0, "port": 9, "priority": 1}
WORDS = " ".join(f"{name}='{value}'" for name, value in VALUES.items())
CANDIDATE = f"<candidate {WORDS} protocol='udp' type='host'/>"
INFO = (
    "<jingle xmlns='urn:xmpp:jingle:1' action='transport-info' sid='s' initiator='a@x/r'><content creator='initiator' name='0'>"
    f"<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='u' pwd='p'>{CANDIDATE}</transport></content></jingle>"
)
OTHER_NS = INFO.replace("ice-udp:1", "ice:0").replace("ufrag", "ice2='true' ufrag")


def compare(source: str) -> bool:
    """Is it read by what is around its candidate? The same must come of it before that is known and after."""
    wanted = result(lambda: parse_jingle(parse_text(source)))
    for _ in range(2):
        try:
            found = plain_jingle(source)
        except BadRequest as problem:
            assert str(problem) == wanted
        else:
            assert found is None or result(lambda: found) == wanted  # noqa: B023  used at once
    return plain._trickled(source) is not None


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("source", [INFO, OTHER_NS])
def test_one_candidate_after_the_other(source: str, quote: str):
    plain._around.cache_clear()
    for number in range(3):
        assert compare(source.replace("192.0.2.1", f"192.0.2.{number}").replace("id='c'", f"id='c{number}'").replace("'", quote))
    assert compare(source.replace("type='host'", "type='relay' rel-addr='10.0.0.1' rel-port='7'").replace("'", quote))
    assert plain._around.cache_info().currsize == 1


def test_credentials_are_forgotten_when_somebody_asks_for_it():
    compare(INFO)
    assert plain._around.cache_info().currsize
    forget_trickled()
    assert not plain._around.cache_info().currsize and compare(INFO)


def test_what_is_around_it_is_known_by_every_word_of_it():
    for name, value in (("sid", "t"), ("ufrag", "w"), ("pwd", "q"), ("name", "1"), ("creator", "responder"), ("initiator", "b@x/r")):
        old = next(f"{name}='{word}'" for word in ("s", "u", "p", "0", "initiator", "a@x/r") if f" {name}='{word}'" in INFO)
        assert compare(INFO) and compare(INFO.replace(old, f"{name}='{value}'"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("transport-info", "session-info"),
        ("transport-info", "x"),
        (CANDIDATE, ""),
        (CANDIDATE, CANDIDATE * 2),
        (CANDIDATE, CANDIDATE + "<gathering-complete/>"),
        (CANDIDATE, "<gathering-complete/>" + CANDIDATE),
        (CANDIDATE, CANDIDATE.replace("/>", "></candidate>")),
        (CANDIDATE, CANDIDATE.replace("'9'", "'99999'")),
        (CANDIDATE, CANDIDATE.replace(" type='host'", "")),
        (CANDIDATE, CANDIDATE.replace("component", "xmlns='urn:x' component")),
        (CANDIDATE, CANDIDATE.replace("component", "xmlns='urn:xmpp:jingle:transports:ice-udp:1' component")),
        (CANDIDATE, CANDIDATE.replace("'c'", "'&lt;'")),
        (CANDIDATE, CANDIDATE.replace("'c'", '"c"')),
        (CANDIDATE, CANDIDATE.replace(" id='c'", " id='c' id='d'")),
        ("urn:xmpp:jingle:transports:ice-udp:1", "urn:xmpp:jingle:transports:raw-udp:1"),
        ("urn:xmpp:jingle:1", "urn:xmpp:jingle:2"),
        ("<content ", "<x "),
        ("sid='s'", f"sid='{'s' * 300}'"),
        ("ufrag='u'", f"ufrag='{'u' * plain.LONGEST}'"),
        ("<transport ", "<y/><transport "),
        ("</jingle>", "<reason><success/></reason></jingle>"),
    ],
)
def test_all_else_is_read_by_the_tables(old: str, new: str):
    for _ in range(2):
        assert compare(INFO)
        assert not compare(INFO.replace(old, new))


def test_what_looks_like_an_end_and_is_none():
    assert compare(INFO.replace("<candidate", "text<candidate"))
    assert compare(INFO.replace("'c'", "'/>'"))


def test_what_is_known_of_a_candidate_is_nothing_of_a_call():
    compare(INFO)
    shapes = xep_0176.CANDIDATE.reader.inner_shapes
    assert shapes and not any("192" in key or "host" in key for key in shapes)


@pytest.mark.no_cover
@given(st.data())
@settings(max_examples=1500, deadline=None)
def test_a_wounded_one_is_read_as_the_parser_reads_it(data: st.DataObject):
    source = data.draw(st.sampled_from([INFO, OTHER_NS, INFO.replace("'", '"')]))
    odd = ["", '"', "'", "''", "<", ">", "/>", " ", "&", "\n", "x='y'", "<x/>", "</content>", CANDIDATE, "xmlns='urn:x'", "é", "\x00"]
    for _ in range(data.draw(st.integers(1, 3))):
        at, gone = data.draw(st.integers(0, len(source))), data.draw(st.integers(0, 20))
        source = source[:at] + data.draw(st.sampled_from(odd)) + source[at + gone :]
    compare(INFO)
    compare(source)
