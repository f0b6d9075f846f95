"""Forms: what is declared is what is asked, and what comes back is checked against it."""

from __future__ import annotations

import pytest

from jinglebridge.errors import BadRequest
from jinglebridge.xmpp.xep_0004 import Field, Form, build, read
from tests.unit.fakes import el

FORM = Form(
    "Title",
    "What to do",
    (
        Field("label", "Label", value="a\x0bb"),
        Field("once", "Once?", "boolean", "0"),
        Field("which", "Which?", "list-single", options=(("1", "One"), ("2", "Two")), required=True),
    ),
)


def test_built():
    x = build(FORM)
    assert (x.get("type"), x.findtext("{jabber:x:data}title"), x.findtext("{jabber:x:data}instructions")) == ("form", "Title", "What to do")
    label, once, which = x.findall("{jabber:x:data}field")
    assert label.attrib == {"var": "label", "label": "Label", "type": "text-single"}
    assert "\x0b" not in (label.findtext("{jabber:x:data}value") or "\x0b")
    assert once.findtext("{jabber:x:data}value") == "0" and once.find("{jabber:x:data}required") is None
    assert which.find("{jabber:x:data}required") is not None and which.find("{jabber:x:data}value") is None
    options = [(o.get("label"), o.findtext("{jabber:x:data}value")) for o in which.findall("{jabber:x:data}option")]
    assert options == [("One", "1"), ("Two", "2")]
    assert build(Form("", ""), "result").attrib == {"type": "result"} and len(build(Form("", ""))) == 0


def submitted(inner: str, kind: str = "submit"):
    return el(f"<x xmlns='jabber:x:data' type='{kind}'>{inner}</x>")


def test_read():
    fields = "<field var='a'><value>1</value><value>2</value></field><field var='a'><value>3</value></field><field><value>x</value></field>"
    assert read(submitted(fields + "<field var='none'/><other/>")) == {"a": "1"}
    with pytest.raises(BadRequest):
        read(submitted("", "form"))
    with pytest.raises(BadRequest):
        read(el("<x type='submit'/>"))
    with pytest.raises(BadRequest):
        read(submitted(f"<field var='a'><value>{'x' * 1025}</value></field>"))
    with pytest.raises(BadRequest):
        read(submitted("".join(f"<field var='f{n}'><value>1</value></field>" for n in range(66))))


def test_values():
    assert FORM.values({"which": "2", "once": "true", "other": "x"}) == {"label": "a\x0bb", "once": "1", "which": "2"}
    assert FORM.values({"which": "1", "label": " x\x00 "})["label"] in ("x", "x\ufffd")
    assert Field("b", "B", "boolean").read(None) == "0"


@pytest.mark.parametrize(("given", "why"), [({}, "needed"), ({"which": "3"}, "choose"), ({"which": "1", "once": "maybe"}, "yes or no")])
def test_what_cannot_be_is_said_in_words(given: dict[str, str], why: str):
    with pytest.raises(ValueError, match=why):
        FORM.values(given)


def test_asked_again_with_what_was_given():
    again = FORM.filled({"which": "2"})
    assert [f.value for f in again.fields] == ["a\x0bb", "0", "2"]
