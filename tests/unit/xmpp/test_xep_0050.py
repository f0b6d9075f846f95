"""Commands: what each action does, whose sessions they are, and every error of XEP-0050 §4.6."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from jinglebridge.xmpp import caps, disco, xep_0050
from jinglebridge.xmpp.stanza import COMMANDS, NS
from jinglebridge.xmpp.xep_0004 import Field, Form
from jinglebridge.xmpp.xep_0050 import Command, Commands, Result
from tests.unit.fakes import DOMAIN, el, routed

BOB = "bob@im.test/phone"
C = f"{{{COMMANDS}}}"
X = "{jabber:x:data}"


class Lab:
    def __init__(self) -> None:
        self.router, self.sent, _ = routed()
        self.now, self.ran, self.busy, self.empty = 0.0, [], False, False
        commands = {
            "say": Command("say", "Say a word", self.say, self.form),
            "time": Command("time", "Tell the time", lambda asker, values: Result("noon")),
            "fail": Command("fail", "Fail", self.fail),
        }
        self.commands = Commands(DOMAIN, commands, lambda jid: jid.endswith("@im.test"), lambda jid: not self.busy, lambda: self.now)
        self.commands.register(self.router)
        found = disco.Disco(DOMAIN, None, lambda own, peer: False)  # type: ignore[arg-type]
        found.register(self.router)
        found.nodes = self.commands

    def form(self, asker: str) -> Form | None:
        return None if self.empty else Form("Say", "", (Field("word", "The word", required=True),))

    def say(self, asker: str, values: Any) -> Result:
        if values.get("word") == "bad":
            raise ValueError("not that word")
        self.ran.append((asker, dict(values)))
        return Result(f"said {values.get('word', 'nothing')}", (Field("word", "The word", value=values.get("word", "")),))

    def fail(self, asker: str, values: Any) -> Result:
        raise ValueError("never works")

    def ask(self, node: str, inner: str = "", sender: str = BOB, to: str = DOMAIN, **attributes: str) -> ET.Element:
        words = "".join(f" {k}='{v}'" for k, v in attributes.items())
        self.router.route(
            el(f"<iq type='set' id='1' from='{sender}' to='{to}'><command xmlns='{COMMANDS}' node='{node}'{words}>{inner}</command></iq>")
        )
        (reply,) = self.sent.take()
        return reply

    def command(self, *args: str, **more: str) -> ET.Element:
        reply = self.ask(*args, **more)
        assert reply.get("type") == "result", ET.tostring(reply)
        return reply[0]

    def error(self, *args: str, **more: str) -> tuple[str, str, str | None]:
        error = self.ask(*args, **more).find(f"{{{NS}}}error")
        assert error is not None
        names = [child.tag.partition("}") for child in error]
        own = next((name for ns, _, name in names if ns == "{" + COMMANDS), None)
        return error.get("type", ""), names[0][2], own

    def disco(self, what: str, node: str, sender: str = BOB) -> ET.Element:
        ns = f"http://jabber.org/protocol/disco#{what}"
        self.router.route(el(f"<iq type='get' id='1' from='{sender}' to='{DOMAIN}'><query xmlns='{ns}' node='{node}'/></iq>"))
        (reply,) = self.sent.take()
        return reply


def filled(word: str) -> str:
    return f"<x xmlns='jabber:x:data' type='submit'><field var='word'><value>{word}</value></field></x>"


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_a_command_that_asks_nothing(lab: Lab):
    command = lab.command("time")
    assert command.get("status") == "completed" and len(command.get("sessionid", "")) >= 22, "at least 128 bits"
    assert [(n.get("type"), n.text) for n in command.findall(f"{C}note")] == [("info", "noon")]
    assert command.find(f"{X}x") is None


@pytest.mark.parametrize("action", [{}, {"action": "execute"}, {"action": "complete"}])
def test_form_and_answer(lab: Lab, action: dict[str, str]):
    asked = lab.command("say", action="execute")
    assert asked.get("status") == "executing"
    actions = asked.find(f"{C}actions")
    assert actions is not None and actions.get("execute") == "complete" and [a.tag for a in actions] == [f"{C}complete"]
    form = asked.find(f"{X}x")
    assert form is not None and form.get("type") == "form"
    id = asked.get("sessionid", "")
    done = lab.command("say", filled("hello"), sessionid=id, **action)
    assert done.get("status") == "completed" and done.findtext(f"{C}note") == "said hello" and done.get("sessionid") == id
    result = done.find(f"{X}x")
    assert result is not None and result.get("type") == "result" and result.findtext(f"{X}field/{X}value") == "hello"
    assert lab.ran == [("bob@im.test", {"word": "hello"})]
    assert lab.error("say", filled("again"), sessionid=id) == ("modify", "bad-request", "bad-sessionid"), "once only"


def test_a_program_that_knows_the_form_may_send_it_at_once(lab: Lab):
    assert lab.command("say", filled("hi")).get("status") == "completed"
    assert lab.command("say", filled("hi"), action="complete").get("status") == "completed"
    assert not lab.commands._open


def test_what_is_wrong_in_the_form_is_asked_again(lab: Lab):
    id = lab.command("say").get("sessionid", "")
    for word, why in (("", "The word: this is needed"), ("bad", "not that word")):
        again = lab.command("say", filled(word), sessionid=id)
        note, form = again.find(f"{C}note"), again.find(f"{X}x")
        assert again.get("status") == "executing" and note is not None and (note.get("type"), note.text) == ("error", why)
        assert form is not None and (form.findtext(f"{X}field/{X}value") or "") == word
    assert lab.command("say", filled("good"), sessionid=id).get("status") == "completed"


def test_what_fails_without_a_form_is_said(lab: Lab):
    note = lab.command("fail").find(f"{C}note")
    assert note is not None and (note.get("type"), note.text) == ("error", "never works")


def test_cancel(lab: Lab):
    id = lab.command("say").get("sessionid", "")
    assert lab.command("say", sessionid=id, action="cancel").get("status") == "canceled"
    assert lab.error("say", filled("x"), sessionid=id)[2] == "bad-sessionid" and lab.ran == []


def test_nothing_left_to_choose_when_the_form_comes_back(lab: Lab):
    id = lab.command("say").get("sessionid", "")
    lab.empty = True
    assert lab.command("say", filled("x"), sessionid=id).findtext(f"{C}note") == "said nothing"
    assert not lab.commands._open


def test_errors(lab: Lab):
    assert lab.error("nosuch") == ("cancel", "item-not-found", None)
    assert lab.error("time", to=f"anna@{DOMAIN}") == ("cancel", "item-not-found", None)
    assert lab.error("time", sender="eve@evil.test/x") == ("auth", "forbidden", None)
    assert lab.error("time", action="dance") == ("modify", "bad-request", "malformed-action")
    for action in ("complete", "next", "prev", "cancel"):
        assert lab.error("time", action=action) == ("modify", "bad-request", "bad-action")
    id = lab.command("say").get("sessionid", "")
    for action in ("next", "prev"):
        assert lab.error("say", filled("x"), sessionid=id, action=action) == ("modify", "bad-request", "bad-action")
    assert lab.error("say", sessionid=id) == ("modify", "bad-request", "bad-payload")
    assert lab.error("say", "<x xmlns='jabber:x:data' type='cancel'/>", sessionid=id)[2] == "bad-payload"
    assert lab.error("say", "<x xmlns='jabber:x:data' type='result'/>", sessionid=id)[2] == "bad-payload"
    assert lab.error("say", filled("x"), sessionid="made-up") == ("modify", "bad-request", "bad-sessionid")
    assert lab.error("say", filled("x"), sessionid=id, sender="bob@im.test/other")[2] == "bad-sessionid", "of that device only"
    assert lab.error("time", filled("x"), sessionid=id)[2] == "bad-sessionid", "of that command only"
    lab.busy = True
    assert lab.error("time") == ("wait", "resource-constraint", None)
    assert lab.ran == []


def test_sessions_end(lab: Lab):
    id = lab.command("say").get("sessionid", "")
    lab.now = xep_0050.LIFETIME
    assert lab.error("say", filled("x"), sessionid=id) == ("cancel", "not-allowed", "session-expired")
    assert not lab.commands._open


def test_sessions_are_few(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    ids = [lab.command("say").get("sessionid", "") for _ in range(xep_0050.MAX_OF_ONE + 1)]
    assert lab.error("say", filled("x"), sessionid=ids[0])[2] == "session-expired"
    assert lab.command("say", filled("x"), sessionid=ids[1]).get("status") == "completed"
    monkeypatch.setattr(xep_0050, "MAX_SESSIONS", 6)
    monkeypatch.setattr(xep_0050, "MAX_EXPIRED", 2)
    for n in range(10):
        lab.command("say", sender=f"user{n}@im.test/x")
    assert len(lab.commands._open) == 6 and len(lab.commands._expired) == 2


def test_disco(lab: Lab):
    items = lab.disco("items", COMMANDS)[0]
    assert items.get("node") == COMMANDS
    assert [(i.get("jid"), i.get("node"), i.get("name")) for i in items] == [
        (DOMAIN, "say", "Say a word"), (DOMAIN, "time", "Tell the time"), (DOMAIN, "fail", "Fail"),
    ]  # fmt: skip
    assert len(lab.disco("items", "say")[0]) == 0 and lab.disco("items", "nosuch").get("type") == "error"
    root = caps.read(lab.disco("info", COMMANDS)[0])
    assert [(i.category, i.type) for i in root.identities] == [("automation", "command-list")]
    node = caps.read(lab.disco("info", "say")[0])
    assert [(i.category, i.type, i.name) for i in node.identities] == [("automation", "command-node", "Say a word")]
    assert {COMMANDS, "jabber:x:data"} <= node.features
    assert lab.disco("info", "nosuch").get("type") == "error"
    assert lab.disco("items", COMMANDS, "eve@evil.test/x").get("type") == "error"
    assert COMMANDS in disco.GATEWAY.features
