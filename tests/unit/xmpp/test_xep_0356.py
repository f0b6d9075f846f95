"""What the server grants is remembered while the connection lasts. XEP-0356 §4.2."""

from __future__ import annotations

import pytest

from jinglebridge.xmpp.xep_0356 import MAX_GRANTS, Privileges
from tests.unit.fakes import DOMAIN, stanza


def granted(sender: str, namespace: str = "urn:xmpp:privilege:2", perms: str = "<perm access='roster' type='both'/>") -> Privileges:
    privileges = Privileges("im.test")
    message = stanza(f"<message from='{sender}' to='{DOMAIN}'><privilege xmlns='{namespace}'>{perms}</privilege></message>")
    message.payload = message.element[0]
    privileges.received(message)
    return privileges


@pytest.mark.parametrize("namespace", ["urn:xmpp:privilege:2", "urn:xmpp:privilege:1"])
def test_what_the_server_grants(namespace: str):
    privileges = granted("im.test", namespace, "<perm access='roster' type='get'/><perm access='iq'><namespace ns='x'/></perm>")
    assert privileges.granted == {"roster": "get", "iq": "some"}
    privileges.lost()
    assert privileges.granted == {}


def test_none_is_no_grant():
    """ejabberd 23.01 lists what it does not grant, too; and what it granted it may take back."""
    privileges = granted("im.test", perms="<perm access='presence' type='none'/><perm access='roster' type='both'/>")
    assert privileges.granted == {"roster": "both"}
    none = "<privilege xmlns='urn:xmpp:privilege:2'><perm access='roster' type='none'/></privilege>"
    message = stanza(f"<message from='im.test' to='{DOMAIN}'>{none}</message>")
    message.payload = message.element[0]
    privileges.received(message)
    assert privileges.granted == {}


def test_nobody_else_grants_anything():
    assert granted("eve@im.test").granted == {} and granted("other.test").granted == {}


def test_it_is_bounded():
    assert len(granted("im.test", perms="".join(f"<perm access='{n}' type='x'/>" for n in range(100))).granted) == MAX_GRANTS
