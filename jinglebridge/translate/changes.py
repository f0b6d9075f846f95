"""What changed in a session, as the stanzas that tell it.

An endpoint describes everything again in each offer and answer; Jingle tells only what is new. `changes` compares what the other side
knows with what an endpoint says now; `apply` (in `jinglebridge.translate.applied`) is what the other side makes of it:
``apply(old, changes(old, new))`` is `new`, up to the order of contents and to candidates that an endpoint no longer repeats.

======================================  ==============================================================
difference                              stanza, each with one content (J-153)
======================================  ==============================================================
a content more                          content-add; in an answer content-accept (J-212)
a content less                          content-remove (J-216)
who may send                            content-modify with nothing but senders (J-218, J-219)
codecs, header extensions, sources      description-info with the whole description
ufrag and pwd                           transport-info with no candidate: ICE restart (J-171)
fingerprint, anything else of transport transport-info with the whole transport
a candidate, the end of candidates      transport-info (J-152, J-166)
group, or what no XEP has a place for   with the last of these, else with a content-modify
======================================  ==============================================================

Spec: XEP-0166 §7.2, XEP-0167 §6.3, XEP-0176 §5.9; J-169 … J-171, J-191, J-212 … J-219.
"""

from __future__ import annotations

from jinglebridge.jingle import Candidate, Content, Group, IceUdpTransport, Jingle, Senders
from jinglebridge.jingle.private import SDP, CandidateTail, SdpExtras, read, written
from jinglebridge.jingle.xep_0166 import CONTENT
from jinglebridge.translate.applied import Unknown, apply, bare, credentials, frame, with_tails
from jinglebridge.translate.described import Described
from jinglebridge.values import replace


def changes(old: Described, new: Described, sid: str, *, answer: bool = False) -> tuple[Jingle, ...]:
    """The stanzas that turn `old` into `new`, in the order in which they are to be sent; () if nothing is to be told.

    Args:
        old: what the other side knows of this endpoint.
        new: what the endpoint says now. Candidates that it no longer says are not taken back.
        sid: of the session.
        answer: contents that `old` lacks were added by the other side, and are accepted.
    """
    teller = _Teller(old, sid)
    for content in old.contents:
        if new.content(content.name) is None:
            teller.say("content-remove", replace(content, senders=None, transport=None, unknown=()))
    for content in new.contents:
        if teller.known.content(content.name) is None:
            teller.say("content-accept" if answer else "content-add", content, groups=new.groups)
        else:
            teller.tell(content)
    teller.session(new)
    return tuple(teller.stanzas)


class _Teller:
    """Keeps what the other side knows after each stanza, by applying it as the other side does."""

    def __init__(self, known: Described, sid: str) -> None:
        self.known, self.before, self.sid = known, known, sid
        self.stanzas: list[Jingle] = []

    def say(self, action: str, content: Content, *, groups: tuple[Group, ...] = (), unknown: Unknown = ()) -> None:
        jingle = Jingle(action, self.sid, contents=(content,), groups=groups, unknown=unknown)
        self.stanzas.append(jingle)
        self.before, self.known = self.known, apply(self.known, jingle)

    def tell(self, content: Content) -> None:
        """All that is new in one content."""
        known = self._known(content)
        if CONTENT.text(_application(content)) != CONTENT.text(_application(known)):
            self.say("description-info", replace(_application(content), creator=known.creator))
        if _senders(content) is not _senders(known):
            self.say("content-modify", Content(known.name, known.creator, _senders(content), content.disposition))
        if content.transport is not None:
            self._transport(content, content.transport)

    def _known(self, content: Content) -> Content:
        known = self.known.content(content.name)
        assert known is not None
        return known

    def _transport(self, content: Content, transport: IceUdpTransport) -> None:
        known = self._known(content).transport or IceUdpTransport()
        if frame(transport) != frame(known):
            self._info(content, bare(transport))
        elif credentials(transport) != credentials(known):
            self._info(content, IceUdpTransport(transport.ufrag, transport.pwd))
        known = self._known(content).transport or IceUdpTransport()
        have = {_anonymous(item) for item in known.candidates}
        tails = {tail.id: tail for tail in read(content.unknown).candidates}
        for item in transport.candidates:
            if _anonymous(item) not in have:
                self._candidate(content, item, tails.get(item.id))
        if transport.gathering_complete and not known.gathering_complete:
            self._info(content, IceUdpTransport(transport.ufrag, transport.pwd, gathering_complete=True))

    def _candidate(self, content: Content, item: Candidate, tail: CandidateTail | None) -> None:
        """One candidate, under an id that is free."""
        known = self._known(content)
        assert content.transport is not None and known.transport is not None
        taken = {candidate.id for candidate in known.transport.candidates}
        id = item.id if item.id not in taken else f"{item.id}-{len(taken)}"
        extras = SdpExtras(candidates=() if tail is None else (replace(tail, id=id),))
        one = IceUdpTransport(content.transport.ufrag, content.transport.pwd, candidates=(replace(item, id=id),))
        self._info(content, one, written(extras))

    def _info(self, content: Content, transport: IceUdpTransport, unknown: Unknown = ()) -> None:
        self.say("transport-info", transport_info(self._known(content), transport, unknown))

    def session(self, new: Described) -> None:
        """Groups and what no XEP has a place for; () where there was something is told by an empty element."""
        groups = new.groups or tuple(Group(item.semantics) for item in self.known.groups)
        if new.groups == self.known.groups:
            groups = ()
        unknown: Unknown = ()
        if _session_extras(new) != _session_extras(self.known):
            unknown = (SDP.build(_session_extras(new)),)
        if not groups and not unknown:
            return
        if self.stanzas:
            last, self.known = self.stanzas.pop(), self.before
            self.say(last.action, last.contents[0], groups=groups or last.groups, unknown=unknown)
        else:
            self.carry(new, groups, unknown)

    def carry(self, new: Described, groups: tuple[Group, ...] = (), unknown: Unknown = ()) -> None:
        """A content-modify that modifies nothing. J-218"""
        first = new.contents[0]
        self.say("content-modify", Content(first.name, self._known(first).creator, _senders(first)), groups=groups, unknown=unknown)


def reminder(known: Described, sid: str) -> Jingle:
    """A stanza that changes nothing: the endpoint makes an offer although nothing is new, and wants it answered."""
    teller = _Teller(known, sid)
    teller.carry(known)
    return teller.stanzas[0]


def transport_info(content: Content, transport: IceUdpTransport, unknown: Unknown = ()) -> Content:
    """The content of a transport-info. ufrag and pwd always stand in it: Conversations and Movim need both (J-147)."""
    return Content(content.name, content.creator, transport=transport, unknown=unknown)


def _application(content: Content) -> Content:
    """The content without what content-modify and transport-info tell."""
    return replace(content, senders=None, transport=None, unknown=with_tails(content.unknown, ()))


def _senders(content: Content) -> Senders:
    return content.senders or Senders.BOTH


def _anonymous(candidate: Candidate) -> Candidate:
    return replace(candidate, id="")


def _session_extras(described: Described) -> SdpExtras:
    return read(described.unknown)
