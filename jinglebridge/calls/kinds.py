"""What kinds of peers there are, and what each can take: data, in one place.

A kind is recognised by the node of the peer's entity capabilities or by what it announces; a peer that is not recognised gets `UNKNOWN`,
which holds back what any known client trips over. What a description may hold is in its `PeerPolicy`; here is what may change while a
call runs.

Spec: clients.md; J-212 … J-222.
"""

from __future__ import annotations

from dataclasses import dataclass

from jinglebridge.jingle import Role
from jinglebridge.jingle.private import NS as NS_BRIDGE
from jinglebridge.translate.policy import NONE, POLICIES, PeerPolicy


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of peer.

    `restart`, `add`, `modify`, `remove`, `describe`: it takes an ICE restart, content-add, a content-modify that changes who may send,
    content-remove, description-info. What it does not take is not sent: the endpoint is answered here as well as SDP can, or told
    `not-negotiable`.
    """

    name: str
    policy: PeerPolicy
    restart: bool = False
    restart_by_initiator: bool = False  # it takes a restart, but only of the one who called
    restart_by_candidate: bool = False  # new credentials without a candidate are always an offer to it, with one always an answer
    add: bool = False
    modify: bool = False
    remove: bool = False
    describe: bool = False
    # COMPAT(Monal 6): a second propose of the same person goes on with the call, without ringing: a page that is loaded anew can use that.
    moves: bool = False
    stub: bool = False  # an added content that is bundled has an empty transport. COMPAT(Conversations 2.12): does it so itself. J-214
    bridge: bool = False  # another endpoint of a jinglebridge: it says what is an offer and what its answer (`Negotiation`)

    def restarts(self, role: Role) -> bool:
        """Does it take an ICE restart of the side with this session role?"""
        return self.restart and (role is Role.INITIATOR or not self.restart_by_initiator)

    @property
    def extensions(self) -> bool:
        return self.bridge


UNKNOWN = Kind("unknown", POLICIES["safe"], add=True, modify=True)
BRIDGE = Kind("bridge", NONE, restart=True, add=True, modify=True, remove=True, describe=True, bridge=True)
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        UNKNOWN,
        BRIDGE,
        # COMPAT(Dino 0.4.2): no ICE restart; content-remove is feature-not-implemented; one content-add at a time is taken.
        Kind("dino", POLICIES["dino"], add=True, modify=True),
        # COMPAT(Conversations 2.12): acks and ignores content-modify, ends the call on content-remove of an accepted content. The answer
        # to a restart is its first candidate, in either direction; without one it would be another offer.
        Kind("conversations", POLICIES["conversations"], restart=True, restart_by_candidate=True, add=True, stub=True),
        # COMPAT(Monal 6): answers nothing that would change a running call.
        Kind("monal", POLICIES["monal"], moves=True),
        Kind("movim", POLICIES["movim"], add=True, modify=True),
        # COMPAT(stanza.js 12): content-add is rejected, content-modify a bad-request; a restart by the responder ends its session.
        Kind("stanza", POLICIES["stanza"], restart=True, restart_by_initiator=True),
    )
}
# Host of the caps node -> kind.
NODES: dict[str, str] = {
    "dino.im": "dino",
    "conversations.im": "conversations",
    "cheogram.com": "conversations",
    "monocles.chat": "conversations",
    "blabber.im": "conversations",
    "monal-im.org": "monal",
    "monal.im": "monal",
    "movim.eu": "movim",
    "stanzajs.org": "stanza",
}


def kind_of(node: str, features: frozenset[str] | None) -> Kind:
    """The kind of a resource, by the `node` of its caps ("" if it has none) and what it announces (None: not known)."""
    if features is not None and NS_BRIDGE in features:
        return BRIDGE
    host = node.partition("://")[2].partition("/")[0].removeprefix("www.").lower()
    return KINDS[NODES.get(host, "unknown")]
