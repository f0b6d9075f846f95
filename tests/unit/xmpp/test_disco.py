"""What the gateway, an account and a session say of themselves, and to whom. J-019 … J-024, J-007."""

from __future__ import annotations

import pytest

from jinglebridge.jingle import features
from jinglebridge.xmpp import caps, disco
from tests.unit.fakes import DOMAIN, conditions, el, routed

ANNA = f"anna@{DOMAIN}"
PAGE, AUDIO = f"{ANNA}/w-1", f"{ANNA}/w-2"
INFO, ITEMS = "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items"


class People:
    def video(self, jid):
        return {PAGE: True, AUDIO: False}.get(jid)

    def resources(self, bare):
        return [PAGE, AUDIO] if bare == ANNA else []


def ask(to: str, inner: str, sender: str = "friend@im.test/r"):
    router, sent, _ = routed()
    found = disco.Disco(DOMAIN, People(), lambda own, peer: (own, peer) == (ANNA, "friend@im.test"), (f"echo@{DOMAIN}",))
    found.register(router)
    router.route(el(f"<iq type='get' id='1' from='{sender}' to='{to}'>{inner}</iq>"))
    (reply,) = sent
    return reply


def info(to: str, node: str = ""):
    attribute = f" node='{node}'" if node else ""
    return ask(to, f"<query xmlns='{INFO}'{attribute}/>")


def test_a_session_announces_exactly_the_call_features():
    for jid, video in ((PAGE, True), (AUDIO, False)):
        found = caps.read(info(jid)[0])
        assert set(features(video=video)) <= found.features
        assert ("urn:xmpp:jingle:apps:rtp:video" in found.features) is video
        assert (found.identities[0].category, found.identities[0].type) == ("client", "web")


def test_the_caps_node_gives_the_same_and_repeats_the_node():
    node = f"{disco.NODE}#{disco.session_info(True).ver()}"
    reply = info(PAGE, node)
    assert reply[0].get("node") == node and caps.read(reply[0]).ver() == node.partition("#")[2]


@pytest.mark.parametrize("node", ["urn:none", f"{disco.NODE}#wrong", f"{disco.NODE}#{disco.session_info(False).ver()}"])
def test_an_unknown_node_is_item_not_found(node):
    assert conditions(info(PAGE, node))[:2] == ("cancel", "item-not-found")


def test_the_gateway_and_an_account():
    gateway, account = caps.read(info(DOMAIN)[0]), caps.read(info(ANNA)[0])
    assert ("gateway", "webrtc") in {(i.category, i.type) for i in gateway.identities} and ITEMS in gateway.features
    assert [(i.category, i.type) for i in account.identities] == [("account", "registered")]
    assert not any("jingle" in f for f in gateway.features | account.features)


def test_unknown_and_offline_look_alike():
    """Byte for byte: J-007, J-252."""
    for query in (f"<query xmlns='{INFO}'/>", "<ping xmlns='urn:xmpp:ping'/>", "<query xmlns='jabber:iq:version'/>"):
        replies = [ask(jid, query) for jid in (f"{ANNA}/gone", f"nobody@{DOMAIN}/x")]
        assert [conditions(r) for r in replies] == [("cancel", "service-unavailable", None)] * 2
    accounts = [caps.read(info(jid)[0]) for jid in (ANNA, f"nobody@{DOMAIN}")]
    assert accounts[0] == accounts[1]


def items(to: str, sender: str) -> list[str | None]:
    return [i.get("jid") for i in ask(to, f"<query xmlns='{ITEMS}'/>", sender)[0]]


def test_items_are_services_for_all_and_sessions_for_subscribers():
    assert items(DOMAIN, "stranger@x") == [f"echo@{DOMAIN}"]
    assert items(ANNA, "friend@im.test/r") == [PAGE, AUDIO]
    assert items(ANNA, "stranger@x") == items(f"nobody@{DOMAIN}", "stranger@x") == []


def test_version_and_ping():
    version = ask(PAGE, "<query xmlns='jabber:iq:version'/>")[0]
    assert version[0].text == "jinglebridge" and len(version) == 2, "no operating system: nobody's business"
    for to in (DOMAIN, ANNA, PAGE):
        reply = ask(to, "<ping xmlns='urn:xmpp:ping'/>")
        assert reply.get("type") == "result" and len(reply) == 0
