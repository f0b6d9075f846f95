"""A first offer that was read before says what it says when it is read for its peer."""

from __future__ import annotations

from copy import copy

import pytest

from jinglebridge.errors import ProtocolError
from jinglebridge.jingle import Role, jingle_text
from jinglebridge.sdp import parse
from jinglebridge.translate.policy import POLICIES, PeerPolicy
from jinglebridge.translate.side import Side, first_offer
from tests.unit.corpus import rounds

OFFERS = [one.offer for one in rounds() if one.number == 0]


def begun(offer: str, policy: PeerPolicy, extensions: bool, addresses: bool, *, before: bool) -> object:
    """The stanza and what the side holds after it, or what was refused."""
    side = Side(Role.INITIATOR, "s", policy, extensions)
    try:
        sdp = parse(offer)
        (jingle,) = [side.first(first_offer(sdp), addresses=addresses)] if before else side.offer(sdp, addresses=addresses)
    except ProtocolError as error:
        return repr(error)
    assert side.own is not None and side.said is side.shown is sdp
    return jingle_text(jingle), side.own.contents, side.own.groups, side.names, side.peer, side.active, side.version


KINDS = [pytest.param(policy, False, id=name) for name, policy in POLICIES.items()]
KINDS.append(pytest.param(POLICIES["none"], True, id="bridge"))


@pytest.mark.parametrize(("policy", "extensions"), KINDS)
def test_an_offer_read_before_is_told_as_if_it_were_read_now(policy: PeerPolicy, extensions: bool):
    for number, offer in enumerate(OFFERS):
        kind = policy, extensions, number % 2 == 0
        assert begun(offer, *kind, before=True) == begun(offer, *kind, before=False)


def test_a_copy_has_all_fields_and_is_another_one():
    side = Side(Role.RESPONDER, "s", POLICIES["safe"], True, names={"0": "audio"}, added=("1",), active=True, version=3, trickled=7)
    other = copy(side)
    assert other == side
    other.version, other.active = 4, False
    assert (side.version, side.active) == (3, True)
