"""The descriptions of a call as texts. The rest of this is in test_model."""

from __future__ import annotations

from dataclasses import replace

from jinglebridge import sdp
from jinglebridge.calls import stored
from jinglebridge.jingle import Role, jingle_text
from jinglebridge.translate.policy import NONE
from jinglebridge.translate.side import Side
from jinglebridge.xmltext import MAX_TEXT
from tests.unit.calls.world import OFFER


def test_descriptions_that_are_longer_than_a_stanza_are_read_again():
    """Many sections, added one by one: each fits a stanza, all together do not."""
    side = Side(Role.INITIATOR, "s", NONE)
    (initiate,) = side.offer(sdp.parse(OFFER))
    video = initiate.contents[1]
    contents = tuple(replace(video, name=str(number)) for number in range(16))
    assert len(jingle_text(replace(initiate, contents=contents))) > MAX_TEXT
    side.own = side.own._replace(contents=contents, groups=())
    again = stored.restore(Side(Role.INITIATOR, "s", NONE), stored.saved(side))
    assert again.own == side.own and len(again.own.contents) == 16
