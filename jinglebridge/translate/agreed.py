"""What two sides make of an offer and its answer: the state from which the next `changes` are told.

A session has one opinion on who may send and on the DTLS roles, although each side describes itself in full. Spec: RFC 3264 §8,
RFC 8842 §5; J-110, J-215, J-218, table M-5.
"""

from __future__ import annotations

from collections.abc import Iterable

from jinglebridge.jingle import Content
from jinglebridge.jingle.roles import both_allow
from jinglebridge.translate.described import Described, without_mid_extension
from jinglebridge.values import replace


def as_offer(described: Described) -> Described:
    """An offer always leaves the DTLS role open (RFC 8842 §5.2), whatever was agreed before. J-184"""
    return described._replace(contents=tuple(_with_setup(content, "actpass") for content in described.contents))


def with_roles(answer: Described, known: Described) -> Described:
    """A later answer with the DTLS role that its author took first, since the association goes on. J-184

    COMPAT(Firefox 153): answers active to the offer of an ICE restart although it is the server; Chromium refuses that.
    """
    roles = {content.name: (_digests(content), _setup(content)) for content in known.contents}
    bundle = answer.bundle()
    shared = next((roles[name] for name in bundle if name in roles), None)
    contents = []
    for content in answer.contents:
        digests, setup = roles.get(content.name) or (shared if content.name in bundle else None) or ((), None)
        contents.append(content if setup is None or digests != _digests(content) else _with_setup(content, setup))
    return answer._replace(contents=tuple(contents))


def _digests(content: Content) -> tuple[str, ...]:
    return () if content.transport is None else tuple(item.value for item in content.transport.fingerprints)


def _setup(content: Content) -> str | None:
    return None if content.transport is None else next((item.setup for item in content.transport.fingerprints), None)


def _with_setup(content: Content, setup: str) -> Content:
    transport = content.transport
    if transport is None:
        return content
    prints = tuple(replace(item, setup=setup) for item in transport.fingerprints)
    return replace(content, transport=replace(transport, fingerprints=prints))


def settled(offer: Described, answer: Described) -> tuple[Described, Described]:
    """Both descriptions as agreed: contents of both, who may send as the answer says, opposite DTLS roles."""
    answered = {content.name: content for content in answer.contents}
    offered, accepted = [], []
    for content in offer.contents:
        other = answered.get(content.name)
        if other is not None:
            senders = content.senders if other.senders is None else other.senders
            if content.senders is not None and other.senders is not None:
                senders = both_allow(other.senders, content.senders)
            offered.append(_with_setup(replace(content, senders=senders), "passive" if _setup(other) == "active" else "active"))
            accepted.append(replace(other, senders=senders))
    return offer._replace(contents=tuple(offered)), answer._replace(contents=tuple(accepted))


def answering(known: Described, offer: Described) -> Described:
    """What is known of the answerer once the offer stands: contents that are gone are gone, and who may send is as offered."""
    contents = []
    for content in known.contents:
        offered = offer.content(content.name)
        if offered is not None:
            contents.append(replace(content, senders=offered.senders))
    gone = [content.name for content in known.contents if offer.content(content.name) is None]
    return without(known, gone)._replace(contents=tuple(contents))


def without(described: Described, names: Iterable[str]) -> Described:
    """The description without these contents, in groups as well."""
    gone = set(names)
    contents = tuple(content for content in described.contents if content.name not in gone)
    groups = (group.renamed({name: name for name in group.names if name not in gone}) for group in described.groups)
    return described._replace(contents=contents, groups=tuple(group for group in groups if group is not None))


def renamed(described: Described, names: dict[str, str]) -> Described:
    """The description with other content names; the MID header extension goes where a name changes (J-195)."""
    contents = []
    for content in described.contents:
        name = names.get(content.name, content.name)
        if name != content.name and content.description is not None:
            content = replace(content, description=without_mid_extension(content.description))
        contents.append(replace(content, name=name))
    groups = (group.renamed({name: names.get(name, name) for name in group.names}) for group in described.groups)
    return described._replace(contents=tuple(contents), groups=tuple(group for group in groups if group is not None))


def with_creators(described: Described, known: Described) -> Described:
    """Contents that exist already keep who created them. XEP-0166 §7.3"""
    creators = {content.name: content.creator for content in known.contents}
    contents = tuple(replace(content, creator=creators.get(content.name, content.creator)) for content in described.contents)
    return described._replace(contents=contents)
