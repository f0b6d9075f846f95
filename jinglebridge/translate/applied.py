"""What is known of the other side of a session after each of its stanzas: the way back of `jinglebridge.translate.changes`.

Spec: XEP-0166 §7.2, XEP-0167 §6.3, XEP-0176 §5.9; J-103, J-169, J-191, J-212 … J-219.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from functools import reduce
from xml.etree.ElementTree import Element as XmlElement

from jinglebridge.errors import ItemNotFound, ResourceConstraint
from jinglebridge.jingle import Content, IceUdpTransport, Jingle, Senders
from jinglebridge.jingle.private import SDP, CandidateTail, SdpExtras, read, written
from jinglebridge.jingle.xep_0166 import CONTENT, MAX_CONTENTS
from jinglebridge.translate.described import Described
from jinglebridge.values import replace

MAX_CANDIDATES = 100  # known of one content; later ones are dropped

Unknown = tuple[XmlElement, ...]


def apply_all(known: Described, stanzas: Iterable[Jingle]) -> Described:
    """`apply` for one after the other."""
    return reduce(apply, stanzas, known)


def apply(known: Described, change: Jingle) -> Described:
    """What is known of the other side after its stanza.

    Contents are found by name: real clients are not careful with creators (J-103, J-214). Actions that say nothing about contents, and
    transport-info and description-info about contents that are not there, change nothing. New credentials are an ICE restart, whatever
    comes with them: a caller who may hear late candidates of credentials that are over keeps them away (J-169).

    Raises: ItemNotFound for an unknown content in content-modify, -remove, -reject; ResourceConstraint for too many contents.
    """
    if change.action in ("session-initiate", "session-accept"):
        return Described(change.contents, change.groups, change.unknown)
    contents = {content.name: content for content in known.contents}
    reader = _READERS.get(change.action)
    for content in change.contents if reader is not None else ():
        assert reader is not None
        reader(contents, content, known)
    if len(contents) > MAX_CONTENTS:
        raise ResourceConstraint(f"more than {MAX_CONTENTS} contents")
    groups = (group.renamed({name: name for name in contents}) for group in change.groups or known.groups)
    unknown = tuple(el for el in change.unknown if el.tag == SDP.clark)
    return Described(
        tuple(contents.values()),
        tuple(group for group in groups if group is not None),
        written(read(unknown)) if unknown else known.unknown,
    )


def _added(contents: dict[str, Content], content: Content, known: Described) -> None:
    contents[content.name] = content


def _removed(contents: dict[str, Content], content: Content, known: Described) -> None:
    if contents.pop(content.name, None) is None:
        raise ItemNotFound(f"no content {content.name[:40]!r}")


def _modified(contents: dict[str, Content], content: Content, known: Described) -> None:
    """Senders; and a description or transport where one is told, as Movim does."""
    old = contents.get(content.name)
    if old is None:
        raise ItemNotFound(f"no content {content.name[:40]!r}")
    contents[content.name] = replace(old, senders=None if content.senders is Senders.BOTH else content.senders)
    if content.description is not None:
        _described(contents, content, known)
    if content.transport is not None:
        _transported(contents, content, known)


def _described(contents: dict[str, Content], content: Content, known: Described) -> None:
    """A whole description, and with it what no XEP has a place for; candidates stay what they are."""
    old = contents.get(content.name)
    if old is not None:
        tails = read(old.unknown).candidates
        contents[content.name] = replace(
            content,
            creator=old.creator,
            senders=old.senders,
            description=content.description or old.description,
            transport=old.transport,
            unknown=with_tails(content.unknown, tails),
        )


def _transported(contents: dict[str, Content], content: Content, known: Described) -> None:
    """A candidate, the end of candidates, or an ICE restart. J-169"""
    old, new = contents.get(content.name), content.transport
    if old is None or old.transport is None or new is None:
        return
    transport = old.transport
    if new.ufrag is not None and new.pwd is not None and credentials(new) != credentials(transport):
        _restart(contents, old, known, new)
        old = contents[content.name]
        transport = old.transport or transport
    if frame(new) != frame(IceUdpTransport()):
        transport = replace(new, ufrag=transport.ufrag, pwd=transport.pwd, candidates=transport.candidates)
    room = MAX_CANDIDATES - len(transport.candidates)
    transport = replace(
        transport,
        candidates=(*transport.candidates, *new.candidates[:room]),
        gathering_complete=transport.gathering_complete or new.gathering_complete,
    )
    contents[content.name] = replace(old, transport=transport, unknown=_with_more_tails(old.unknown, content.unknown))


def _restart(contents: dict[str, Content], old: Content, known: Described, new: IceUdpTransport) -> None:
    """New credentials, for all contents of the bundle that share the old ones; their candidates are of a generation that is over."""
    bundle = known.bundle()
    assert old.transport is not None
    before = credentials(old.transport)
    for name, content in contents.items():
        shared = name in bundle and old.name in bundle and content.transport is not None and credentials(content.transport) == before
        if content.transport is not None and (shared or name == old.name):
            transport = replace(content.transport, ufrag=new.ufrag, pwd=new.pwd, candidates=(), gathering_complete=False)
            contents[name] = replace(content, transport=transport, unknown=with_tails(content.unknown, ()))


def with_candidates(known: Described, told: Content) -> Described:
    """`apply` for a transport-info that holds nothing but candidates of the current credentials, and their end: the usual case."""
    assert told.transport is not None
    contents = []
    for content in known.contents:
        transport = content.transport
        if content.name == told.name and transport is not None:
            room = MAX_CANDIDATES - len(transport.candidates)
            transport = replace(
                transport,
                candidates=(*transport.candidates, *told.transport.candidates[:room]),
                gathering_complete=transport.gathering_complete or told.transport.gathering_complete,
            )
            unknown = _with_more_tails(content.unknown, told.unknown) if told.unknown else content.unknown
            content = replace(content, transport=transport, unknown=unknown)
        contents.append(content)
    return known._replace(contents=tuple(contents))


_READERS: dict[str, Callable[[dict[str, Content], Content, Described], None]] = {
    "content-add": _added,
    "content-accept": _added,
    "content-remove": _removed,
    "content-reject": _removed,
    "content-modify": _modified,
    "description-info": _described,
    "transport-info": _transported,
}


def credentials(transport: IceUdpTransport) -> tuple[str | None, str | None]:
    """ufrag and pwd."""
    return transport.ufrag, transport.pwd


def bare(transport: IceUdpTransport) -> IceUdpTransport:
    """The transport without candidates and their end."""
    return replace(transport, candidates=(), gathering_complete=False)


def frame(transport: IceUdpTransport) -> str:
    """Fingerprints, SCTP and the like, in a form that can be compared."""
    return CONTENT.text(Content("", transport=replace(bare(transport), ufrag=None, pwd=None)))


def with_tails(unknown: Unknown, tails: tuple[CandidateTail, ...]) -> Unknown:
    """The children of a content, with these tails of candidates instead of those in it."""
    others = tuple(el for el in unknown if el.tag != SDP.clark)
    return (*others, *written(replace(read(unknown), candidates=tails)))


def _with_more_tails(unknown: Unknown, new: Unknown) -> Unknown:
    """The children of a content, and the tails in `new` behind theirs.

    The elements that are there already stay as they are: to read and to write them again for each candidate would take time in
    proportion to the square of their number.
    """
    tails = read(new).candidates
    mine = next((el for el in unknown if el.tag == SDP.clark), None)
    if mine is None or not tails:
        return (*unknown, *written(SdpExtras(candidates=tails)))
    built = list(SDP.build(SdpExtras(candidates=tails)))
    whole = copy(mine)
    whole.extend(built[: max(0, MAX_CANDIDATES - len(mine.findall(built[0].tag)))])
    return tuple(whole if el is mine else el for el in unknown)
