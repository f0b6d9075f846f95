"""XEP-0115: the published vectors, and what a poisoned answer would need. J-025, J-026."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET

import pytest

from jinglebridge.errors import BadRequest
from jinglebridge.xmpp import caps
from jinglebridge.xmpp.disco import session_info

SIMPLE = """<query xmlns='http://jabber.org/protocol/disco#info' node='http://code.google.com/p/exodus#QgayPKawpkPSDYmwT/WM94uAlu0='>
<identity category='client' name='Exodus 0.9.1' type='pc'/><feature var='http://jabber.org/protocol/caps'/>
<feature var='http://jabber.org/protocol/disco#info'/><feature var='http://jabber.org/protocol/disco#items'/>
<feature var='http://jabber.org/protocol/muc'/></query>"""
COMPLEX = """<query xmlns='http://jabber.org/protocol/disco#info' node='http://psi-im.org#q07IKJEyjvHSyhy//CH0CxmKi8w='>
<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/><identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>
<feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>
<feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/>
<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>
<field var='ip_version'><value>ipv4</value><value>ipv6</value></field><field var='os'><value>Mac</value></field>
<field var='os_version'><value>10.5.1</value></field><field var='software'><value>Psi</value></field>
<field var='software_version'><value>0.11</value></field></x></query>"""
FORM = "<x xmlns='jabber:x:data'><field var='FORM_TYPE' type='hidden'><value>{}</value></field></x>"


@pytest.mark.parametrize(("text", "ver"), [(SIMPLE, "QgayPKawpkPSDYmwT/WM94uAlu0="), (COMPLEX, "q07IKJEyjvHSyhy//CH0CxmKi8w=")])
def test_the_vectors_of_the_specification_in_any_order(text, ver):
    query = ET.fromstring(text)
    for _ in range(5):
        assert caps.read(query).ver() == ver
        children = list(query)
        random.shuffle(children)
        for child in children:
            query.remove(child)
        query.extend(children)


@pytest.mark.parametrize(
    "extra",
    [
        "<identity category='client' name='Exodus 0.9.1' type='pc'/>",
        "<feature var='http://jabber.org/protocol/muc'/>",
        FORM.format("urn:f") * 2,
    ],
    ids=["identity", "feature", "form"],
)
def test_duplicates_are_refused(extra):
    with pytest.raises(BadRequest):
        caps.read(ET.fromstring(SIMPLE.replace("</query>", extra + "</query>")))


@pytest.mark.parametrize(
    "extra",
    [
        "<x xmlns='jabber:x:data'/>" * 2,
        "<x xmlns='jabber:x:data'><field var='FORM_TYPE'><value>urn:f</value></field></x>",
        "<x xmlns='jabber:x:data'><field var='FORM_TYPE' type='hidden'/></x>",
    ],
    ids=["no form type", "not hidden", "empty"],
)
def test_forms_without_a_hidden_type_do_not_count(extra):
    """XEP-0115 §5.4, 3.6."""
    assert caps.read(ET.fromstring(SIMPLE.replace("</query>", extra + "</query>"))).ver() == "QgayPKawpkPSDYmwT/WM94uAlu0="


def test_what_we_say_hashes_to_what_we_announce():
    for video in (True, False):
        info = session_info(video)
        c = caps.element("urn:node", info)
        assert (c.get("hash"), c.get("node"), c.get("ver")) == ("sha-1", "urn:node", info.ver())
        built = info.build(f"urn:node#{info.ver()}")
        assert caps.read(built) == info and caps.read(built).ver() == c.get("ver") and built.get("node")
    assert session_info(True).ver() != session_info(False).ver()


def test_a_nameless_identity():
    info = caps.DiscoInfo((caps.Identity("account", "registered"),), frozenset({"urn:f"}))
    assert "name" not in info.build()[0].attrib and "node" not in info.build().attrib
