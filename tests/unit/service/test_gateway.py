"""Talking to the bridge's own address: the same commands by chat and by form, for people and not for programs. Issue 5, item 3."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jinglebridge.calls.people import Link
from jinglebridge.service.catalogue import Catalogue, link_line
from jinglebridge.service.gateway import LINES, MISUNDERSTOOD
from jinglebridge.service.owners import Owners
from jinglebridge.store.memory import MemoryStore
from jinglebridge.xmpp.stanza import COMMANDS, NS
from tests.unit.fakes import DOMAIN, el
from tests.unit.service.world import World

BOB, EVE = "bob@im.test/phone", "eve@evil.test/x"
BODY = f"{{{NS}}}body"


@pytest.fixture
async def world() -> World:
    world = World()
    world.ice.has_turn = True
    return world


def say(world: World, line: str, sender: str = BOB, inner: str = "", kind: str = "type='chat'", to: str = DOMAIN) -> str | None:
    """The answer's text; None for silence; the condition of an error as <condition>."""
    world.router.route(el(f"<message from='{sender}' to='{to}' {kind} id='m1'><body>{line}</body>{inner}</message>"))
    sent = world.stanzas("message")
    if not sent:
        return None
    (reply,) = sent
    assert reply.get("to") == sender and reply.get("from") == DOMAIN
    if reply.get("type") == "error":
        error = reply.find(f"{{{NS}}}error")
        assert error is not None and reply.get("id") == "m1"
        return f"<{error[0].tag.partition('}')[2]}>"
    assert reply.get("type") == "chat" and reply.get("id")
    return reply.findtext(BODY)


def made(world: World, line: str) -> tuple[Link, str]:
    """(the newest link, its code)"""
    answer = say(world, line) or ""
    (url,) = [word for word in answer.split() if word.startswith("http")]
    return world.reception.links.of()[-1], url.rpartition("/")[2]


async def test_a_link_by_chat(world: World):
    link, code = made(world, "link Shop in town 3 days once audio presence")
    assert (link.owner, link.label, link.single_use, link.video, link.shows_presence) == ("bob@im.test", "Shop in town", True, False, True)
    assert link.expires - link.created == 3 * 86400 and world.reception.links.look(code, "192.0.2.1").label == "Shop in town"
    listed = say(world, "Links") or ""
    assert f"{link.id}: “Shop in town”, until" in listed and "for one call, sound only, shows your presence" in listed
    assert code not in listed
    assert say(world, f"revoke {link.id}", sender="mallory@im.test/x") == "You have no guest links."
    made(world, "link")
    assert say(world, f"revoke {link.id}", "mallory@im.test/x") and len(world.reception.links.of()) == 2
    assert "Which link" in (say(world, "revoke nosuch") or "")
    assert "“Shop in town”" in (say(world, "revoke shop in town") or "")
    assert "without a name" in (say(world, "revoke all") or "") and world.reception.links.of() == []
    assert "no guest links" in (say(world, "links") or "") and say(world, "revoke all") == "You have no guest links."


async def test_many_are_taken_back_at_once(world: World):
    made(world, "link a"), made(world, "link b")
    assert say(world, "revoke all") == "2 links are taken back."


async def test_a_link_that_shows_presence_asks_for_it(world: World):
    world.router.route(el(f"<message from='{BOB}' to='{DOMAIN}' type='chat'><body>link x presence</body></message>"))
    asked = [e for e in world.sent.take() if e.tag.endswith("presence")]
    assert [(e.get("type"), e.get("from"), e.get("to")) for e in asked] == [("subscribe", DOMAIN, "bob@im.test")]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("", {"label": ""}), ("once", {"label": "", "once": "1"}), ("once upon a time", {"label": "once upon a time"}),
        ("Shop 1 day", {"label": "Shop", "days": "1"}), ("days", {"label": "days"}), ("Anna forever", {"label": "Anna", "days": "0"}),
        ("x audio ONCE", {"label": "x", "video": "0", "once": "1"}),
    ],
)  # fmt: skip
def test_the_words_of_a_link(line: str, values: dict[str, str]):
    assert link_line(line) == values


async def test_what_is_wrong_is_said(world: World):
    assert say(world, "link x 900 days") == "A link is good for 1 to 30 days."
    assert say(world, "link x 9999999999 days") == "Days: a number is needed."
    with pytest.raises(ValueError, match="a number"):
        world.reception.gateway._catalogue.commands["link"].run("bob@im.test", {"days": "²"})
    assert "64 characters" in (say(world, "link " + "x" * 65) or "")
    assert say(world, "dnd maybe") == "Say: dnd on, or: dnd off"
    assert f"name@{DOMAIN}" in (say(world, "block carol@elsewhere.test") or "")
    assert "Which address" in (say(world, "block") or "") and "Which address" in (say(world, "block a b@@") or "")


async def test_dnd_and_blocks(world: World):
    owners, anna = world.reception.owners, f"anna@{DOMAIN}"
    assert "off" in (say(world, "dnd") or "") and "is on" in (say(world, "dnd on") or "") and owners.dnd("bob@im.test")
    assert World(store=world.store).reception.owners.dnd("bob@im.test"), "also after a restart"
    assert "is off" in (say(world, "DND OFF") or "") and not owners.dnd("bob@im.test")
    assert not World(store=world.store).reception.owners.dnd("bob@im.test")
    assert say(world, "unblock") == "Nobody is blocked."
    assert "is blocked" in (say(world, f"block xmpp:{anna}") or "") and owners.blocks("bob@im.test") == [anna]
    assert "link" in (say(world, f"block guest-x@{DOMAIN}") or "")
    assert say(world, "unblock") == f"Blocked:\n{anna}\nguest-x@{DOMAIN}"
    assert "not blocked any more" in (say(world, f"unblock {anna}") or "") and "is not blocked." in (say(world, f"unblock {anna}") or "")
    again = World(store=world.store)
    assert again.reception.owners.blocks("bob@im.test") == [f"guest-x@{DOMAIN}"], "also after a restart"
    assert "not blocked any more" in (say(world, f"unblock guest-x@{DOMAIN}") or "") and owners.blocks("bob@im.test") == []


async def test_blocks_are_few(world: World):
    for n in range(200):
        world.reception.owners.block("bob@im.test", f"u{n}@{DOMAIN}")
    assert "200" in (say(world, f"block u200@{DOMAIN}") or "")


async def test_help_for_what_is_not_understood_but_not_for_ever(world: World):
    help = say(world, "help") or ""
    for word in ("link [label]", "links", "revoke", "dnd on", "block", "unblock", "devices", "echo test", "help"):
        assert word in help
    for _ in range(MISUNDERSTOOD):
        assert (say(world, "hi there") or "").startswith("I do not know “hi”.")
    assert say(world, "hi there") is None
    assert f"echo@{DOMAIN}" in (say(world, "echo test") or "") and f"echo@{DOMAIN}" in (say(world, "/Echo!") or "")


async def test_what_is_encrypted_is_not_taken_for_a_command(world: World):
    told = say(world, "help", inner="<encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl'/>")
    assert told == "I cannot read encrypted messages: turn encryption off for this chat."


async def test_strangers_are_told_once(world: World):
    assert say(world, "link", EVE) == "<forbidden>" and say(world, "link", EVE) is None and world.reception.links.of() == []


async def test_a_flood_of_lines(world: World):
    answers = [say(world, "links") for _ in range(LINES + 10)]
    assert answers[LINES] == "<resource-constraint>" and answers[LINES + 1 :] == [None] * 9 and None not in answers[:LINES]
    assert say(world, "links", "carol@im.test/x"), "others are not in it"
    world.reception.sweep()
    assert world.reception.gateway._rate.seen


@pytest.mark.parametrize(
    "more",
    [
        {"kind": "type='error'"}, {"kind": "type='headline'"}, {"kind": "type='groupchat'"}, {"sender": f"echo@{DOMAIN}/echo"},
        {"sender": DOMAIN}, {"inner": "<sent xmlns='urn:xmpp:carbons:2'/>"}, {"inner": "<received xmlns='urn:xmpp:carbons:2'/>"},
        {"inner": "<result xmlns='urn:xmpp:mam:2'/>"}, {"line": " "}, {"to": f"anna@{DOMAIN}"}, {"to": f"{DOMAIN}/x"},
        {"inner": f"<delay xmlns='urn:xmpp:delay' stamp='{(datetime.now(UTC) - timedelta(minutes=9)).isoformat()}'/>"},
    ],
)  # fmt: skip
async def test_what_gets_no_answer(world: World, more: dict[str, str]):
    assert say(world, **({"line": "help"} | more)) is None


async def test_the_thread_is_kept_and_a_little_age_is_fine(world: World):
    delay = f"<delay xmlns='urn:xmpp:delay' stamp='{(datetime.now(UTC) - timedelta(seconds=9)).isoformat()}'/>"
    world.router.route(el(f"<message from='{BOB}' to='{DOMAIN}'><thread>t1</thread><body>help</body>{delay}</message>"))
    (reply,) = world.stanzas("message")
    assert reply.findtext(f"{{{NS}}}thread") == "t1" and reply.findtext(BODY)


async def test_markup_and_odd_letters_come_back_as_text(world: World):
    link, _ = made(world, "link &lt;b&gt;Änna&lt;/b&gt; \u202e李")
    assert link.label == "<b>Änna</b> 李"
    assert "<b>Änna</b> 李" in (say(world, "links") or "")
    assert "“<x>”" in (say(world, "&lt;x&gt;") or "")


async def test_the_same_by_form(world: World):
    def command(node: str, inner: str = "", id: str = ""):
        session = f" sessionid='{id}'" if id else ""
        world.router.route(el(
            f"<iq type='set' id='1' from='{BOB}' to='{DOMAIN}'><command xmlns='{COMMANDS}' node='{node}'{session}>{inner}</command></iq>"
        ))  # fmt: skip
        (reply,) = world.stanzas("iq")
        assert reply.get("type") == "result"
        return reply[0]

    def form(**values: str) -> str:
        fields = "".join(f"<field var='{k}'><value>{v}</value></field>" for k, v in values.items())
        return f"<x xmlns='jabber:x:data' type='submit'>{fields}</x>"

    note = f"{{{COMMANDS}}}note"
    id = command("link").get("sessionid", "")
    done = command("link", form(label="Shop", days="2", once="true", video="0"), id)
    (link,) = world.reception.links.of("bob@im.test")
    assert (link.label, link.single_use, link.video) == ("Shop", True, False)
    assert "/c/" in done.findtext("{jabber:x:data}x/{jabber:x:data}field/{jabber:x:data}value", "")
    assert "Shop" in command("links").findtext(note, "")
    id = command("revoke").get("sessionid", "")
    assert command("revoke", form(link="other"), id).get("status") == "executing"
    assert "taken back" in command("revoke", form(link=link.id), id).findtext(note, "")
    assert "no guest links" in command("revoke").findtext(note, "")
    assert "is on" in command("dnd", form(dnd="1")).findtext(note, "")
    assert "blocked" in command("block", form(jid=f"anna@{DOMAIN}")).findtext(note, "")
    assert command("unblock", form(jid=f"anna@{DOMAIN}")).get("status") == "completed" and not world.reception.owners.blocks("bob@im.test")
    assert "Nobody" in command("unblock").findtext(note, "")


async def test_devices(world: World):
    device, _ = world.devices.create("bob\\40im.test", "address", label="Firefox on Linux")
    others, _ = world.devices.create("carol\\40im.test", "address", label="another person's")
    answer = say(world, "devices") or ""
    assert answer.startswith(f"Browsers that act for your address:\n{device.id}: Firefox on Linux, last used ") and "another" not in answer
    form = world.reception.gateway._catalogue.commands["devices"].ask("bob@im.test")
    assert form is not None and [value for value, _ in form.fields[0].options] == [device.id]
    assert "Say: devices" in (say(world, "devices remove x") or "") and "Which one" in (say(world, "devices revoke x") or "")
    assert "Which one" in (say(world, f"devices revoke {others.id}") or "") and len(world.devices.all()) == 2, "nobody signs others out"
    assert say(world, f"devices revoke {device.id}") == "Firefox on Linux is signed out." and len(world.devices.all()) == 1
    assert say(world, "devices") == "No browser acts for your address."
    assert world.reception.gateway._catalogue.commands["devices"].ask("bob@im.test") is None


async def test_every_command_answers_the_longest_address(world: World):
    """A name and a resource of 1023 bytes each, more than an address that can be proved may have."""
    longest = f"{'n' * 1023}@im.test/{'r' * 1023}"
    catalogue = world.reception.gateway._catalogue
    for line in ("link Shop presence", "links", "revoke all", "dnd on", "block anna@call.test", "unblock", "devices", "echo test", "help"):
        assert say(world, line, longest), line
    for command in catalogue.commands.values():
        command.ask(longest.partition("/")[0])  # raises nothing
    assert say(world, "devices revoke x", longest) == "Which one? Say: devices revoke ID, with the ID that `devices` shows."


def test_what_is_not_offered_is_no_command():
    links = World().reception.links
    assert not {"devices", "echo"} & set(Catalogue(links, Owners(MemoryStore()), DOMAIN, False, None).commands)
