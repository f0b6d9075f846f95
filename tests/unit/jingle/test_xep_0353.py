"""XEP-0353."""

from __future__ import annotations

import pytest

from jinglebridge.errors import BadRequest
from jinglebridge.jingle import (
    JMI_TAGS,
    Accept,
    Finish,
    Proceed,
    Propose,
    Reason,
    Reject,
    Retract,
    Ringing,
    build_jmi,
    parse_jmi,
    plain_jmi,
)
from jinglebridge.xml import parse_text, to_text

NS = 'xmlns="urn:xmpp:jingle-message:0"'
EXPIRED = Reason("expired", "Tie-Break")


@pytest.mark.parametrize(
    "jmi",
    [
        Propose("i", ("audio", "video")),
        Propose("i", ()),
        Ringing("i"),
        Proceed("i"),
        Accept("i"),
        Reject("i"),
        Reject("i", EXPIRED, True),
        Retract("i", Reason("cancel")),
        Retract("i", EXPIRED, True),
        Finish("i", Reason("success", "bye")),
        Finish("i", EXPIRED, "j"),
        Finish("i"),
    ],
)
def test_both_ways(jmi):
    el = build_jmi(jmi)
    assert el.tag in JMI_TAGS
    assert parse_jmi(parse_text(to_text(el))) == jmi
    assert plain_jmi(to_text(el)) == jmi


def test_the_form_of_the_xep():
    """J-052."""
    assert (
        to_text(build_jmi(Propose("i", ("audio",))))
        == f'<propose {NS} id="i"><description xmlns="urn:xmpp:jingle:apps:rtp:1" media="audio"/></propose>'
    )
    assert (
        to_text(build_jmi(Reject("i", Reason("busy"), True)))
        == f'<reject {NS} id="i"><reason xmlns="urn:xmpp:jingle:1"><busy/></reason><tie-break/></reject>'
    )


def test_media_that_is_not_rtp_is_no_media():
    """J-055."""
    source = f'<propose {NS} id="i"><description xmlns="urn:x"/><description xmlns="urn:xmpp:jingle:apps:rtp:1"/></propose>'
    assert parse_jmi(parse_text(source)) == Propose("i", ())


def test_migrated_is_read_in_both_namespaces():
    """Part 3, row 25."""
    for ns in ("", ' xmlns="urn:xmpp:jingle:1"'):
        assert parse_jmi(parse_text(f'<finish {NS} id="i"><migrated{ns} to="j"/></finish>')) == Finish("i", None, "j")
    assert to_text(build_jmi(Finish("i", None, "j"))) == f'<finish {NS} id="i"><migrated to="j"/></finish>'


def test_foreign_children_are_ignored():
    """COMPAT(Conversations): a device in proceed; COMPAT: an empty description in retract."""
    assert parse_jmi(parse_text(f'<proceed {NS} id="i"><device xmlns="urn:x" id="1"/></proceed>')) == Proceed("i")
    assert parse_jmi(parse_text(f'<retract {NS} id="i"><description xmlns="urn:x"/></retract>')) == Retract("i")


@pytest.mark.parametrize(
    "source", [f"<propose {NS}/>", f'<ringing {NS} id=""/>', f'<ringing {NS} id="{"i" * 257}"/>', f'<invite {NS} id="i"/>', "<a/>"]
)
def test_malformed_is_bad_request(source):
    with pytest.raises(BadRequest):
        parse_jmi(parse_text(source))


def test_text_that_is_not_plain_is_nothing_and_malformed_is_bad_request():
    for source in ("<invite id='i'/>", "<proceed id='i'/>", f'<proceed {NS} id="&lt;"/>', f'<proceed {NS} id="i"/><x/>', "", "<proceed"):
        assert plain_jmi(source) is None
    with pytest.raises(BadRequest):
        plain_jmi(f"<proceed {NS} id=''/>".replace('"', "'"))
