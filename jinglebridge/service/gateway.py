"""The bridge's own address as somebody to talk to: chat lines for clients without a command window, and the rates of both.

It answers people and never another program: nothing that is an error, a headline, of a group chat, old, a copy, or from our own domain;
and each sender only so often, what is not understood even less.

Spec: issue "People", item 3; RFC 6121 §5.2; XEP-0203, XEP-0280.
"""

from __future__ import annotations

import secrets
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

from jinglebridge.calls.admission import Window
from jinglebridge.errors import Forbidden, ProtocolError, ResourceConstraint
from jinglebridge.service.catalogue import Catalogue
from jinglebridge.service.links import Links
from jinglebridge.service.performer import Clock
from jinglebridge.xml import xml_safe
from jinglebridge.xmpp.disco import Disco
from jinglebridge.xmpp.router import BODY, Router
from jinglebridge.xmpp.stanza import NS, Send, Stanza, age, error_reply, message, text_child
from jinglebridge.xmpp.xep_0050 import Commands, Result

OLD = 300.0  # seconds after which a line that was stored on the way is not carried out any more
MAX_LINE = 512  # characters
LINES = 30  # lines and commands a minute of one person
MISUNDERSTOOD = 5  # of them not understood
THREAD = f"{{{NS}}}thread"
ENCRYPTED = "{urn:xmpp:eme:0}encryption"  # XEP-0380; the body says only that it could not be read
COPIES = ("{urn:xmpp:carbons:2}sent", "{urn:xmpp:carbons:2}received", "{urn:xmpp:mam:2}result")


class Gateway:
    def __init__(self, domain: str, catalogue: Catalogue, links: Links, send: Send, clock: Clock) -> None:
        self._domain = domain
        self._catalogue = catalogue
        self._links = links
        self._send = send
        self._clock = clock
        self._rate = Window(LINES)
        self._lost = Window(MISUNDERSTOOD)
        self._warned = Window(1)

    def register(self, router: Router, disco: Disco) -> None:
        commands = Commands(self._domain, self._catalogue.commands, self._links.serves, self._admit, self._clock)
        commands.register(router)
        disco.nodes = commands
        router.text = self.said

    def sweep(self) -> None:
        for window in (self._rate, self._lost, self._warned):
            window.forget(self._clock())

    def _admit(self, asker: str) -> bool:
        return self._rate.admit(asker, self._clock())

    def said(self, stanza: Stanza) -> None:
        """A message to the domain that has a body."""
        asker = stanza.sender.partition("/")[0]
        if stanza.type not in ("", "chat", "normal") or asker.rpartition("@")[2] == self._domain:
            return
        if any(stanza.find(copy) is not None for copy in COPIES) or age(stanza.element, datetime.now(UTC)) > OLD:
            return
        line = " ".join((stanza.element.findtext(BODY) or "").split())
        if not line:
            return
        if not self._links.serves(asker):
            self._refuse(stanza, asker, Forbidden("this service is for the users of its own servers"))
        elif not self._admit(asker):
            self._refuse(stanza, asker, ResourceConstraint("too many lines; wait a minute"))
        elif stanza.find(ENCRYPTED) is not None:
            self._say(stanza, "I cannot read encrypted messages: turn encryption off for this chat.")
        elif (text := self.answer(asker, line)) is not None:
            self._say(stanza, text)

    def answer(self, asker: str, line: str) -> str | None:
        """What to say to a line; None: nothing, since it was not understood for the sixth time in a minute."""
        word, _, rest = line[:MAX_LINE].partition(" ")
        name = word.casefold().lstrip("/!").rstrip("?:.!,")
        command, form = self._catalogue.commands.get(name), self._catalogue.lines.get(name)
        if command is None or form is None:
            if not self._lost.admit(asker, self._clock()):
                return None
            return f"I do not know “{word[:32]}”.\n{self._catalogue.commands['help'].run(asker, {}).text}"
        try:
            result: Result = command.run(asker, form.read(rest.strip()))
        except ValueError as error:
            return str(error)
        return result.text

    def _refuse(self, stanza: Stanza, asker: str, error: ProtocolError) -> None:
        """Once a minute: an error is no answer to talk with."""
        if self._warned.admit(asker, self._clock()):
            self._send(error_reply(stanza, error))

    def _say(self, stanza: Stanza, text: str) -> None:
        parts = [text_child("body", xml_safe(text))]
        thread = stanza.element.findtext(THREAD)
        if thread:
            parts.append(text_child("thread", thread[:256]))
        reply: ET.Element = message(self._domain, stanza.sender, secrets.token_urlsafe(16), *parts)
        self._send(reply)
