"""The gateway's commands, each declared once: the form of a client's command window and the line of a chat lead to the same `run`.

Answers are short and in plain words; what is wrong is said by a ValueError.

Spec: issue "People", item 3; DESIGN §2 (the bare domain is the gateway).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from jinglebridge.calls.model import is_guest
from jinglebridge.calls.people import Device, Link
from jinglebridge.errors import BadRequest
from jinglebridge.jid import escape
from jinglebridge.service.links import MAX_LABEL, Links, Wish
from jinglebridge.service.owners import Owners
from jinglebridge.xmpp.stanza import bare_jid
from jinglebridge.xmpp.xep_0004 import Field, Form
from jinglebridge.xmpp.xep_0050 import Command, Result, Values


class Devices(Protocol):
    """The browsers that act for an address; see `service.devices`."""

    def of(self, user: str) -> list[Device]:
        """`user`: escaped local part."""

    def revoke(self, id: str) -> object: ...


@dataclass(frozen=True, slots=True)
class Line:
    """How a command is written in a chat. `read` turns the words after its name into values, or raises ValueError."""

    usage: str
    says: str  # what it does
    read: Callable[[str], Values]


class Catalogue:
    """`echo`: is there a test contact; `devices`: None where nobody can prove an address."""

    def __init__(self, links: Links, owners: Owners, domain: str, echo: bool, devices: Devices | None) -> None:
        self._links = links
        self._owners = owners
        self._domain = domain
        self._devices = devices
        self.commands: dict[str, Command] = {}
        self.lines: dict[str, Line] = {}
        self._add(
            Command("link", "Make a guest link", self._link, self._link_form),
            Line("link [label] [once] [audio] [presence] [7 days]", "a link by which somebody without an account can call you", link_line),
        )
        self._add(Command("links", "List my guest links", self._list), Line("links", "the guest links that you have", nothing))
        self._add(
            Command("revoke", "Take a guest link back", self._revoke, self._revoke_form),
            Line("revoke ID", "take a link back; `revoke all` takes all", one("link")),
        )
        self._add(Command("dnd", "Do not disturb", self._dnd, self._dnd_form), Line("dnd on | dnd off", "whether guests ring", switch))
        self._add(
            Command("block", "Block an address", self._block, lambda asker: BLOCK),
            Line("block ADDRESS", "calls from that address do not ring", one("jid")),
        )
        self._add(
            Command("unblock", "Blocked addresses", self._unblock, self._unblock_form),
            Line("unblock ADDRESS", "let it ring again; `unblock` lists what is blocked", one("jid")),
        )
        if devices is not None:
            self._add(
                Command("devices", "Browsers that act for me", self._browsers, self._devices_form),
                Line("devices", "browsers that act for your address; `devices revoke ID` signs one out", device_line),
            )
        if echo:
            self._add(Command("echo", "Test a call", self._echo), Line("echo test", "how to test your sound and camera", nothing))
        self._add(Command("help", "Help", self._help), Line("help", "this list", nothing))

    def _add(self, command: Command, line: Line) -> None:
        self.commands[command.node] = command
        self.lines[command.node] = line

    # --- links

    def _link_form(self, asker: str) -> Form:
        most, usual = self._links.most_days, str(self._links.usual_days)
        fields = (
            Field("label", "Name of the link, which the guest sees too"),
            Field("days", f"Days until it ends (1 to {most})" if most else "Days until it ends (0: never)", value=usual),
            Field("once", "Good for one call only", "boolean", "0"),
            Field("video", "With video", "boolean", "1"),
            Field("presence", "Guests see whether I am available", "boolean", "0"),
        )
        return Form("Make a guest link", f"Whoever has the link can call you, and nobody else here. {SEEN}", fields)

    def _link(self, asker: str, values: Values) -> Result:
        days = values.get("days") or str(self._links.usual_days)
        if not days.isascii() or not days.isdecimal() or len(days) > 9:
            raise ValueError("Days: a number is needed.")
        label = values.get("label", "")
        if len(label) > MAX_LABEL:
            raise ValueError(f"The name of a link has at most {MAX_LABEL} characters.")
        wish = Wish(label, int(days), values.get("once") == "1", values.get("video", "1") == "1", values.get("presence") == "1")
        link, url = self._links.make(asker, wish)
        text = f"Guest link {described(link)}:\n{url}\nWhoever has it can call you. {SEEN} Take it back with: revoke {link.id}"
        return Result(text, (Field("url", "Guest link", value=url), Field("id", "For taking it back", value=link.id)))

    def _list(self, asker: str, values: Values) -> Result:
        links = self._links.of(asker)
        if not links:
            return Result("You have no guest links. Make one with: link")
        lines = [f"{link.id}: {described(link, self._links.problem(link))}" for link in links]
        return Result("\n".join(["Your guest links:", *lines, "Take one back with: revoke ID"]))

    def _revoke_form(self, asker: str) -> Form | None:
        options = tuple((link.id, described(link, self._links.problem(link))) for link in self._links.of(asker))
        field = Field("link", "Which one", "list-single", options=(*options, ("all", "All of them")), required=True)
        return Form("Take a guest link back", "Calls by it end.", (field,)) if options else None

    def _revoke(self, asker: str, values: Values) -> Result:
        links, wanted = self._links.of(asker), values.get("link", "")
        if not links:
            return Result("You have no guest links.")
        found = links if wanted == "all" else [link for link in links if wanted and wanted.casefold() in (link.id, link.label.casefold())]
        if not found:
            raise ValueError("Which link? Say: revoke ID, with the ID that `links` shows.")
        for link in found:
            self._links.revoke(link)
        return Result(f"{len(found)} links are taken back." if len(found) > 1 else f"The link {described(found[0])} is taken back.")

    # --- who rings

    def _dnd_form(self, asker: str) -> Form:
        field = Field("dnd", "Guests do not ring", "boolean", "1" if self._owners.dnd(asker) else "0")
        return Form("Do not disturb", "To a guest it looks as if you did not answer.", (field,))

    def _dnd(self, asker: str, values: Values) -> Result:
        if values.get("dnd") in ("0", "1"):
            self._owners.set_dnd(asker, values["dnd"] == "1")
        return Result("Do not disturb is on: guests do not ring." if self._owners.dnd(asker) else "Do not disturb is off: guests ring.")

    def _block(self, asker: str, values: Values) -> Result:
        jid = self._address(values)
        if jid == asker:
            raise ValueError("That is your own address.")
        self._owners.block(asker, jid)
        way_back = " The same person can come back by the link: take it back too (links, revoke)." if is_guest(jid) else ""
        return Result(f"{jid} is blocked: its calls do not ring, and it is not told.{way_back}")

    def _unblock_form(self, asker: str) -> Form | None:
        options = tuple((jid, jid) for jid in self._owners.blocks(asker))
        field = Field("jid", "Let this one ring again", "list-single", options=options)
        return Form("Blocked addresses", "", (field,)) if options else None

    def _unblock(self, asker: str, values: Values) -> Result:
        blocked = self._owners.blocks(asker)
        if not values.get("jid"):
            return Result("\n".join(["Blocked:", *blocked]) if blocked else "Nobody is blocked.")
        jid = self._address(values)
        if not self._owners.unblock(asker, jid):
            raise ValueError(f"{jid} is not blocked.")
        return Result(f"{jid} is not blocked any more.")

    def _address(self, values: Values) -> str:
        """Only addresses here can call by this gateway. Raises ValueError."""
        jid = bare_jid(values.get("jid", ""))
        if jid is None or "@" not in jid or jid.rpartition("@")[2] != self._domain:
            raise ValueError(f"Which address? It looks like name@{self._domain}.")
        return jid

    # --- devices, and the rest

    def _devices_of(self, asker: str) -> list[Device]:
        assert self._devices is not None
        try:
            return self._devices.of(escape(asker))
        except BadRequest:
            return []  # an address that is too long to be proved

    def _devices_form(self, asker: str) -> Form | None:
        options = tuple((d.id, f"{d.label}, last used {day(d.used)}") for d in self._devices_of(asker))
        if not options:
            return None
        return Form("Browsers that act for me", "", (Field("revoke", "Sign this one out", "list-single", options=options),))

    def _browsers(self, asker: str, values: Values) -> Result:
        found, wanted = self._devices_of(asker), values.get("revoke")
        if wanted:
            assert self._devices is not None
            device = next((d for d in found if d.id == wanted), None)
            if device is None:
                raise ValueError("Which one? Say: devices revoke ID, with the ID that `devices` shows.")
            self._devices.revoke(device.id)
            return Result(f"{device.label} is signed out.")
        lines = [f"{d.id}: {d.label}, last used {day(d.used)}" for d in found]
        return Result("\n".join(["Browsers that act for your address:", *lines]) if lines else "No browser acts for your address.")

    def _echo(self, asker: str, values: Values) -> Result:
        return Result(f"Call echo@{self._domain} with your client: you hear and see yourself.")

    def _help(self, asker: str, values: Values) -> Result:
        return Result("\n".join(["I understand:", *(f"{line.usage} – {line.says}" for line in self.lines.values())]))


SEEN = "A guest whose call you take can see your network address."
BLOCK = Form("Block an address", "Its calls do not ring, and it is not told.", (Field("jid", "Address", required=True),))


def described(link: Link, problem: str = "") -> str:
    """A link in a few words."""
    name = f"“{link.label}”" if link.label else "without a name"
    until = f"until {day(link.expires)}" if link.expires else "without end"
    once = ", for one call" if link.single_use else ""
    sound = "" if link.video else ", sound only"
    shown = ", shows your presence" if link.shows_presence else ""
    over = {"expired": ", has expired", "spent": ", was used"}.get(problem, "")
    return f"{name}, {until}{once}{sound}{shown}{over}"


def day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%-d %B %Y}"


# --- the words after the name of a command


def nothing(rest: str) -> Values:
    return {}


def one(name: str) -> Callable[[str], Values]:
    return lambda rest: {name: rest.removeprefix("xmpp:") if name == "jid" else rest}


def switch(rest: str) -> Values:
    word = rest.casefold()
    if word not in ("", "on", "off"):
        raise ValueError("Say: dnd on, or: dnd off")
    return {"dnd": {"on": "1", "off": "0"}[word]} if word else {}


def device_line(rest: str) -> Values:
    first, _, id = rest.partition(" ")
    if rest and first.casefold() != "revoke":
        raise ValueError("Say: devices, or: devices revoke ID")
    return {"revoke": id.strip()} if rest else {}


def link_line(rest: str) -> Values:
    """Options stand at the end, in any order; what is before them is the label."""
    words, values = rest.split(), {}
    while words:
        word, before = words[-1].casefold(), words[-2] if len(words) > 1 else ""
        if word in ("once", "presence"):
            values[word] = "1"
        elif word == "audio":
            values["video"] = "0"
        elif word == "forever":
            values["days"] = "0"
        elif word in ("day", "days") and before.isdecimal():
            values["days"] = words[-2]
            words.pop()
        else:
            break
        words.pop()
    return {**values, "label": " ".join(words)}
