"""How a change is said to a certain peer: which of the planned stanzas, in which form.

`jinglebridge.translate.changes` plans what would tell everything; a `Dialect` keeps what the peer's kind takes and says the rest in the
best other way, or not at all.

Spec: J-171, J-212 … J-222; clients.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from jinglebridge.calls.kinds import Kind
from jinglebridge.jingle import Content, IceUdpTransport, Jingle, Role, Senders
from jinglebridge.jingle.private import NEGOTIATION, Negotiation, negotiation_of
from jinglebridge.translate.applied import apply, apply_all, credentials
from jinglebridge.translate.changes import reminder
from jinglebridge.translate.described import Described
from jinglebridge.values import replace


@dataclass(slots=True)
class Dialect:
    """The `take` of `Side.offer` and `Side.answer`; afterwards it knows what was wanted.

    `restart`: contents whose credentials are new. `unsaid`: words for what the peer does not take, as in
    `error.what`. `sends`: does our side send anything afterwards?
    """

    kind: Kind
    role: Role
    sid: str
    offer: bool = True
    restart: list[str] = field(default_factory=list)
    unsaid: list[str] = field(default_factory=list)
    sends: bool = True

    def __call__(self, planned: list[Jingle], known: Described) -> list[Jingle]:
        after = apply_all(known, planned)
        self.restart = restarted(known, after)
        self.sends = any(content.senders in (None, Senders.BOTH, Senders(self.role.value)) for content in after.contents)
        if self.kind.bridge:
            return planned or ([reminder(known, self.sid)] if self.offer else [])
        said: list[Jingle] = []
        now = known
        for jingle in planned:
            new = apply(now, jingle)
            if not restarted(now, new):
                said += self._said(jingle, known)
            elif "transport-info" not in (told.action for told in said) and self._takes(
                self.kind.restarts(self.role) or not self.offer, "ice-restart"
            ):
                said.append(self._restarted(after))
            now = new
        return said

    def _said(self, jingle: Jingle, known: Described) -> list[Jingle]:
        match jingle.action:
            case "content-add":
                return [self._added(jingle, known)] if self._takes(self.kind.add, "add") else []
            case "content-modify":
                if not self.offer and not _narrows(jingle, known):
                    return []
                return [jingle] if self._takes(self.kind.modify, "direction") else []
            case "content-remove":
                return [jingle] if self._takes(self.kind.remove, "remove") else self._without_us(jingle)
            case "description-info":
                return [jingle] if self.kind.describe else []
            case _:
                return [jingle]

    def _takes(self, able: bool, what: str) -> bool:
        if not able:
            self.unsaid.append(what)
        return able

    def _added(self, jingle: Jingle, known: Described) -> Jingle:
        """A content that joins the bundle brings no transport of its own to a peer that wants it so."""
        bundle = next((group.names for group in jingle.groups if group.semantics == "BUNDLE"), ())
        content = jingle.contents[0]
        if self.kind.stub and content.name in bundle and any(other.name in bundle for other in known.contents):
            content = replace(content, transport=IceUdpTransport())
        return replace(jingle, contents=(content,))

    def _without_us(self, jingle: Jingle) -> list[Jingle]:
        """The content stays at the peer, but we do not send in it any more. J-217"""
        if not self.kind.modify:
            return []
        senders = Senders.NONE if self.kind.policy.none_senders else Senders(self.role.other.value)
        contents = tuple(Content(content.name, content.creator, senders) for content in jingle.contents)
        return [replace(jingle, action="content-modify", contents=contents)]

    def _restarted(self, after: Described) -> Jingle:
        """One stanza with the new credentials of all contents: stanza.js takes them by place, Conversations compares the whole set."""
        contents = tuple(
            Content(content.name, content.creator, transport=IceUdpTransport(*credentials(content.transport)))
            for content in after.contents
            if content.transport is not None
        )
        return Jingle("transport-info", self.sid, contents=contents)


SENDING = {None: {"i", "r"}, Senders.BOTH: {"i", "r"}, Senders.INITIATOR: {"i"}, Senders.RESPONDER: {"r"}, Senders.NONE: set[str]()}


def _narrows(jingle: Jingle, known: Described) -> bool:
    """Does the answer to a change only take away who may send? J-218

    To a peer without senders "none" our silence is "only you send", also where it wants not to send: it would answer the same, for ever.
    """
    before = {content.name: SENDING[content.senders] for content in known.contents}
    return all(SENDING[content.senders] <= before.get(content.name, set()) for content in jingle.contents)


def restarted(before: Described, after: Described) -> list[str]:
    """Contents whose credentials are others now."""
    known = {content.name: content.transport.ufrag for content in before.contents if content.transport is not None}
    found = []
    for content in after.contents:
        new, old = content.transport, known.get(content.name)
        if new is not None and new.pwd is not None and old is not None and new.ufrag not in (None, old):
            found.append(content.name)
    return found


def marked(stanzas: list[Jingle], kind: str, number: int) -> list[Jingle]:
    """The stanzas of one offer or answer to another bridge, each with its place among them."""
    total = len(stanzas)
    return [
        replace(jingle, unknown=(*jingle.unknown, NEGOTIATION.build(Negotiation(kind, number, total - index - 1))))
        for index, jingle in enumerate(stanzas)
    ]


def mark_of(jingle: Jingle) -> Negotiation | None:
    return negotiation_of(jingle.unknown)
