"""Table M-2, cell by cell. J-109, J-110."""

from __future__ import annotations

import pytest

from jinglebridge.jingle.roles import Role, Senders, both_allow, direction_to_senders, role, senders_to_direction
from jinglebridge.sdp import Direction
from jinglebridge.translate import roles as public

TABLE = {
    Role.INITIATOR: {"both": "sendrecv", "initiator": "sendonly", "responder": "recvonly", "none": "inactive"},
    Role.RESPONDER: {"both": "sendrecv", "initiator": "recvonly", "responder": "sendonly", "none": "inactive"},
}


@pytest.mark.parametrize("author", Role)
@pytest.mark.parametrize("senders", Senders)
def test_every_cell(author, senders):
    direction = Direction(TABLE[author][senders])
    assert senders_to_direction(senders, author) is direction
    assert direction_to_senders(direction, author) is senders


@pytest.mark.parametrize("author", Role)
def test_absent_means_both(author):
    assert senders_to_direction(None, author) is Direction.SENDRECV


@pytest.mark.parametrize("one", Senders)
@pytest.mark.parametrize("two", Senders)
def test_an_answer_is_the_intersection(one, two):
    who = {Senders.BOTH: {1, 2}, Senders.INITIATOR: {1}, Senders.RESPONDER: {2}, Senders.NONE: set()}
    assert who[both_allow(one, two)] == who[one] & who[two]


def test_the_public_name():
    assert public.senders_to_direction is senders_to_direction


def test_another_word_is_no_role():
    assert role.parse("responder") is Role.RESPONDER
    with pytest.raises(ValueError, match="initiator, responder"):
        role.parse("caller")
