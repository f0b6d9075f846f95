"""XEP-0166."""

from __future__ import annotations

import pytest

from jinglebridge.errors import BadRequest
from jinglebridge.jingle import ACTIONS, Content, Jingle, Reason, Role, Senders, SessionInfo, build_jingle, parse_jingle
from jinglebridge.xml import parse_text, to_text


def read(inner: str = "", attributes: str = 'action="session-info" sid="s"') -> Jingle:
    return parse_jingle(parse_text(f'<jingle xmlns="urn:xmpp:jingle:1" {attributes}>{inner}</jingle>'))


@pytest.mark.parametrize(
    "attributes",
    ['action="x" sid="s"', 'sid="s"', 'action="session-info"', 'action="session-info" sid=""', f'action="session-info" sid="{"s" * 257}"'],
)
def test_action_and_sid_are_required_and_bounded(attributes):
    """J-079, J-086."""
    with pytest.raises(BadRequest):
        read(attributes=attributes)


def test_another_element_is_bad_request():
    with pytest.raises(BadRequest):
        parse_jingle(parse_text('<jingle xmlns="urn:xmpp:jingle:0" action="session-info" sid="s"/>'))


def test_fifteen_actions():
    assert len(ACTIONS) == 15


def test_seventeen_contents_are_too_many():
    read('<content name="0"/>' * 16)
    with pytest.raises(BadRequest):
        read('<content name="0"/>' * 17)


def test_creator_defaults_to_initiator_and_is_always_written():
    """J-103."""
    content = read('<content name="0"/>').contents[0]
    assert content == Content("0", Role.INITIATOR)
    assert 'creator="initiator"' in to_text(build_jingle(Jingle("content-modify", "s", contents=(content,))))


@pytest.mark.parametrize(
    "bad", ['<content creator="me" name="0"/>', "<content/>", '<content name="0" senders="all"/>', '<content name="a&#10;b"/>']
)
def test_malformed_contents_are_bad_request(bad):
    with pytest.raises(BadRequest):
        read(bad)


def test_foreign_applications_and_transports_are_told_apart():
    """J-082, J-102."""
    content = read(
        '<content name="f"><description xmlns="urn:xmpp:jingle:apps:file-transfer:5"/><transport xmlns="urn:xmpp:jingle:transports:s5b:1"/>'
        '<security xmlns="urn:xmpp:jingle:security:xtls:0"/></content>'
    ).contents[0]
    assert (content.description, content.transport) == (None, None)
    assert content.description_ns == "urn:xmpp:jingle:apps:file-transfer:5"
    assert content.transport_ns == "urn:xmpp:jingle:transports:s5b:1"
    assert content.security and len(content.unknown) == 3
    text = to_text(build_jingle(Jingle("session-info", "s", contents=(content,))))
    assert "file-transfer" in text and "s5b" in text


def test_namespaces_of_what_we_know():
    content = read(
        '<content name="a" senders="none"><description xmlns="urn:xmpp:jingle:apps:rtp:1" media="audio"/>'
        '<transport xmlns="urn:xmpp:jingle:transports:ice-udp:1"/></content>'
    ).contents[0]
    assert content.description_ns == "urn:xmpp:jingle:apps:rtp:1" and content.transport_ns == "urn:xmpp:jingle:transports:ice-udp:1"
    assert not content.security and content.senders is Senders.NONE


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        ("<reason/>", Reason(None)),
        ("<reason><success/></reason>", Reason("success")),
        ("<reason><text>bye</text><busy/><gone/></reason>", Reason("busy", "bye")),
        ("<reason><failed_application/></reason>", Reason("failed_application")),
        (
            '<reason><security-error/><crypto-required xmlns="urn:xmpp:jingle:apps:rtp:errors:1"/></reason>',
            Reason("security-error", "", "crypto-required"),
        ),
        ('<reason><unheard-of/><x xmlns="urn:x"/></reason>', Reason("unheard-of")),
        ("<reason><alternative-session><sid>x</sid></alternative-session></reason>", Reason("alternative-session")),
    ],
)
def test_reasons_known_or_not_are_read(xml, reason):
    """J-095."""
    assert read(xml).reason == reason
    assert parse_jingle(build_jingle(Jingle("session-terminate", "s", reason=reason))).reason == reason


def test_the_text_of_a_reason_is_bounded_and_clean():
    long = Reason("busy", "x\x0b" * 2000)
    assert parse_jingle(build_jingle(Jingle("session-terminate", "s", reason=long))).reason == Reason("busy", "x" * 1000)


def test_session_info_payloads():
    """J-209, J-210."""
    jingle = read(
        '<mute xmlns="urn:xmpp:jingle:apps:rtp:info:1" creator="responder" name="voice"/><ringing xmlns="urn:xmpp:jingle:apps:rtp:info:1"/>'
        '<dtmf xmlns="urn:xmpp:jingle:dtmf:0"/>'
    )
    assert jingle.info == (SessionInfo("mute", Role.RESPONDER, "voice"), SessionInfo("ringing"))
    assert [el.tag for el in jingle.unknown] == ["{urn:xmpp:jingle:dtmf:0}dtmf"]


def test_roles_are_each_others_other():
    assert Role.INITIATOR.other is Role.RESPONDER and Role.RESPONDER.other is Role.INITIATOR
