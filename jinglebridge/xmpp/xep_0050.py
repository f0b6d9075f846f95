"""XEP-0050: Ad-Hoc Commands, version 1.3.1: commands with at most one form, at the gateway's own address.

``execute`` runs a command that asks nothing, and sends the form of one that does; ``complete`` (which ``execute`` stands for there)
brings it back. A session belongs to one full JID and one command, ends after `LIFETIME`, and there are few of them.

Spec: XEP-0050 §2, §3, §4.
"""

from __future__ import annotations

import secrets
import xml.etree.ElementTree as ET
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from jinglebridge.errors import BadRequest, CommandError, Forbidden, ItemNotFound, ResourceConstraint, SessionExpired
from jinglebridge.xml import xml_safe
from jinglebridge.xmpp import caps, xep_0004
from jinglebridge.xmpp.caps import DiscoInfo, Identity
from jinglebridge.xmpp.router import Answer, Router
from jinglebridge.xmpp.stanza import COMMANDS as NS
from jinglebridge.xmpp.stanza import Stanza
from jinglebridge.xmpp.xep_0004 import Form

COMMAND = f"{{{NS}}}command"
ACTIONS = ("execute", "complete", "next", "prev", "cancel")
LIFETIME = 600.0  # seconds that a form may lie open
MAX_SESSIONS = 1000
MAX_OF_ONE = 5  # open forms of one person
MAX_EXPIRED = 1000  # ids of which is still known that they were good once

Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a command. `text` says it all; `fields` once more what a program may want, such as a link."""

    text: str
    fields: tuple[xep_0004.Field, ...] = ()
    level: Literal["info", "warn", "error"] = "info"


@dataclass(frozen=True, slots=True)
class Command:
    """`node` is its name for programs and in chat lines, `title` for people. `ask` gives the form for one asker (bare JID), or None
    when there is nothing to ask; `run` does it and raises ValueError, in words for the person, when it cannot."""

    node: str
    title: str
    run: Callable[[str, Values], Result]
    ask: Callable[[str], Form | None] = lambda asker: None


@dataclass(slots=True)
class _Open:
    asker: str  # full JID
    node: str
    until: float


@dataclass(slots=True)
class Commands:
    """Serves `commands`. `allowed(bare JID)`: who may use them; `admit(bare JID)`: False if that was too often; `clock` in seconds."""

    domain: str
    commands: Mapping[str, Command]
    allowed: Callable[[str], bool]
    admit: Callable[[str], bool]
    clock: Callable[[], float]
    _open: OrderedDict[str, _Open] = field(default_factory=OrderedDict)
    _expired: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def register(self, router: Router) -> None:
        router.iq["set", COMMAND] = self.received

    # --- disco

    def info(self, stanza: Stanza, node: str) -> DiscoInfo | None:
        """What a node is; None for one that is none of ours. Raises Forbidden."""
        if node != NS and node not in self.commands:
            return None
        self._may(stanza)
        if node == NS:
            return DiscoInfo((Identity("automation", "command-list", "", "Commands"),), frozenset({caps.INFO, NS}))
        identity = Identity("automation", "command-node", "", self.commands[node].title)
        return DiscoInfo((identity,), frozenset({caps.INFO, NS, xep_0004.NS}))

    def items(self, stanza: Stanza, node: str) -> list[dict[str, str]] | None:
        """The attributes of the items of a node. Raises Forbidden."""
        if node != NS:
            return [] if node in self.commands else None
        self._may(stanza)
        return [{"jid": self.domain, "node": c.node, "name": c.title} for c in self.commands.values()]

    # --- commands

    def _may(self, stanza: Stanza) -> str:
        asker = stanza.sender.partition("/")[0]
        if not self.allowed(asker):
            raise Forbidden("these commands are for the users of this service's own servers")
        return asker

    def received(self, stanza: Stanza) -> Answer:
        """Raises the errors of XEP-0050 §4.6."""
        assert stanza.payload is not None
        if stanza.to != self.domain:
            raise ItemNotFound("no commands here")
        asker = self._may(stanza)
        if not self.admit(asker):
            raise ResourceConstraint("too many commands; wait a minute")
        node, action = stanza.payload.get("node", ""), stanza.payload.get("action", "execute")
        id = stanza.payload.get("sessionid")
        command = self.commands.get(node)
        if command is None:
            raise ItemNotFound("no such command")
        if action not in ACTIONS:
            raise CommandError("malformed-action", "no such action")
        if id is None:
            return self._begin(command, action, stanza, asker)
        self._mine(id, stanza.sender, node)
        if action == "cancel":
            del self._open[id]
            return _answer(node, id, "canceled")
        if action in ("next", "prev"):
            raise CommandError("bad-action", "there is one step only")
        given = self._given(stanza)
        if given is None:
            raise CommandError("bad-payload", "the form is missing")
        return self._complete(command, id, asker, given)

    def _begin(self, command: Command, action: str, stanza: Stanza, asker: str) -> Answer:
        given = self._given(stanza)
        form = command.ask(asker)
        if action != "execute" and not (action == "complete" and given is not None):
            raise CommandError("bad-action", "begin with execute")
        id = secrets.token_urlsafe(18)
        if form is None:
            return self._run(command, id, asker, {})
        self._room(asker)
        self._open[id] = _Open(stanza.sender, command.node, self.clock() + LIFETIME)
        if given is not None:  # by a program that knows the form
            return self._complete(command, id, asker, given)
        return _answer(command.node, id, "executing", form=form)

    def _complete(self, command: Command, id: str, asker: str, given: Values) -> Answer:
        form = command.ask(asker)
        if form is None:  # what could be chosen is gone meanwhile
            del self._open[id]
            return self._run(command, id, asker, {})
        try:
            answer = self._run(command, id, asker, form.values(given), strict=True)
        except ValueError as error:
            return _answer(command.node, id, "executing", Result(str(error), level="error"), form.filled(given))
        del self._open[id]
        return answer

    def _run(self, command: Command, id: str, asker: str, values: Values, *, strict: bool = False) -> Answer:
        try:
            result = command.run(asker, values)
        except ValueError as error:
            if strict:
                raise
            result = Result(str(error), level="error")
        return _answer(command.node, id, "completed", result)

    @staticmethod
    def _given(stanza: Stanza) -> Values | None:
        assert stanza.payload is not None
        x = stanza.payload.find(xep_0004.FORM)
        if x is None or x.get("type") == "cancel":
            return None
        try:
            return xep_0004.read(x)
        except BadRequest as error:
            raise CommandError("bad-payload", str(error)) from None

    # --- sessions

    def _mine(self, id: str, asker: str, node: str) -> None:
        self._forget()
        if id in self._expired:
            raise SessionExpired
        session = self._open.get(id)
        if session is None or session.asker != asker or session.node != node:
            raise CommandError("bad-sessionid", "no such session of yours")

    def _room(self, asker: str) -> None:
        """The oldest form of this person, or of all, gives way."""
        self._forget()
        own = [id for id, session in self._open.items() if session.asker.partition("/")[0] == asker]
        if len(own) >= MAX_OF_ONE:
            self._expire(own[0])
        elif len(self._open) >= MAX_SESSIONS:
            self._expire(next(iter(self._open)))

    def _forget(self) -> None:
        while self._open and next(iter(self._open.values())).until <= self.clock():
            self._expire(next(iter(self._open)))

    def _expire(self, id: str) -> None:
        del self._open[id]
        self._expired[id] = None
        if len(self._expired) > MAX_EXPIRED:
            self._expired.popitem(last=False)


def _answer(node: str, id: str, status: str, result: Result | None = None, form: Form | None = None) -> Answer:
    command = ET.Element(COMMAND, {"node": node, "sessionid": id, "status": status})
    if form is not None:
        ET.SubElement(ET.SubElement(command, f"{{{NS}}}actions", {"execute": "complete"}), f"{{{NS}}}complete")
    if result is not None:
        ET.SubElement(command, f"{{{NS}}}note", {"type": result.level}).text = xml_safe(result.text)
        if result.fields:
            command.append(xep_0004.build(Form("", "", result.fields), "result"))
    if form is not None:
        command.append(xep_0004.build(form))
    return Answer(command)
