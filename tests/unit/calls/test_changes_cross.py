"""Changes that meet, are too large, and answers that come late, never, or too often. Found by reading and by `test_upheaval.py`."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls.changing import MOST_PARTS, MOST_TEXT
from jinglebridge.calls.dialect import marked
from jinglebridge.calls.model import JMI, CallState, PeerResource
from jinglebridge.calls.states import Signalling
from jinglebridge.jingle import Content, IceUdpTransport, Jingle, Senders
from tests.unit.calls.far import Far
from tests.unit.calls.paper import Browser
from tests.unit.calls.upheaval import Pair
from tests.unit.calls.world import DEVICE, PHONE, ROMEO, World

STABLE, LOCAL, REMOTE = Signalling
OFFER = ["page: offer", "timer change 10"]


def parts(*directions: Senders) -> list[Jingle]:
    """An offer of another bridge, one stanza for each direction."""
    return marked([Jingle("content-modify", "s1", contents=(Content("0", senders=senders),)) for senders in directions], "offer", 4)


def met() -> Far:
    """The other bridge called; our page has an offer out that adds a section."""
    far = Far("add_video", "bridge", calls=True)
    far.page_offers(text=far.rounds[1]["offer"])
    assert far.w.state.signalling is LOCAL
    return far


# --- offers of two bridges that meet


def test_no_part_of_the_offer_that_goes_on_is_lost():
    """Each part was taken for another crossing, and put the ones before it away."""
    far = met()
    one, two = parts(Senders.INITIATOR, Senders.BOTH)
    assert far.says([one]) == ["timer change 10"] and far.says([two]) == OFFER
    assert far.w.state.change.number == 4 and len(far.w.state.change.heard) == 2
    assert far.w.answers("content-add", "conflict", "tie-break", change=1) == [] and far.w.state.signalling is REMOTE


def test_an_error_to_the_offer_that_gave_way_does_not_end_the_other():
    far = met()
    far.says(parts(Senders.INITIATOR, Senders.BOTH)[:1])
    assert far.w.answers("content-add", "bad-request", change=1) == [] and far.w.state.change.heard


@pytest.mark.parametrize("saved", [False, True])
def test_the_page_does_not_wait_when_the_rest_of_the_other_offer_does_not_come(saved):
    far = met()
    far.says(parts(Senders.INITIATOR, Senders.BOTH)[:1])
    if saved:
        far.w.registry.calls[far.w.key] = CallState.from_json(far.w.state.to_json())
    assert far.w.fires("change") == ["page: rollback offer", "page > phone content-modify"]
    assert far.w.state.signalling is STABLE and far.w.state.change is None


def test_nor_when_the_other_offer_cannot_be_taken():
    far = met()
    unknown = marked([Jingle("content-remove", "s1", contents=(Content("9"),))], "offer", 4)
    assert far.says(unknown) == ["page: rollback offer", "page > phone content-modify"]


def test_nor_when_its_offer_came_while_the_other_was_on_its_way():
    far = Far("add_video", "bridge", calls=True)
    far.says(parts(Senders.INITIATOR, Senders.BOTH)[:1])
    assert far.page_offers(text=far.rounds[1]["offer"]) == [] and far.w.notes() == ["offer-crossed"]
    assert far.w.fires("change")[0] == "page: rollback offer"


def test_nor_when_an_added_content_that_crossed_cannot_be_carried():
    """The peer called and adds data, which it cannot have; we add video."""
    far = Far("add_video", calls=True)
    video = far.rounds[1]["offer"].partition("m=video")[2]
    ours = far.rounds[0]["answer"].replace("a=setup:active", "a=setup:actpass").replace("BUNDLE 0", "BUNDLE 0 1")
    far.page_offers(text=f"{ours}m=video{video}")
    none = Content("x", transport=IceUdpTransport())
    assert far.w.sends("content-add", sid="s1", contents=(none,)) == [
        "page > phone content-reject failed-application",
        "page: rollback offer",
    ]


# --- a page that is late


def test_the_late_answer_of_a_page_tells_which_sections_it_has():
    """It may have been away. Nothing comes of the offer, but browsers keep their sections: the next offer has them. J-220"""
    far = Far("add_video_by_callee")
    (add,) = far.offer()
    far.says([add])
    assert far.w.fires("change")[-1] == "timer change 150"
    assert far.page_answers() == [] and far.w.notes() == ["answer-too-late"]
    assert far.w.state.signalling is STABLE and far.w.state.side.peer.content("1") is None
    far.w.sends("content-modify", contents=(Content("0", senders=Senders.INITIATOR),))
    assert [media.rejected for media in far.told().media] == [False, True]


@pytest.mark.parametrize("answers", [False, True])
def test_a_page_that_never_answers_or_after_all(answers):
    far = Far("add_video_by_callee")
    far.says(far.offer())
    far.page_offers(text=far.rounds[0]["offer"])
    far.w.fires("change")
    assert far.w.fires("change") == ["page: rollback offer"], "its own offer has no other answer"
    if answers:
        assert far.page_answers() == [] and far.w.notes() == ["answer-too-late"]
    far.w.sends("content-modify", contents=(Content("0", senders=Senders.INITIATOR),))
    assert [media.rejected for media in far.told().media] == [False, True]


def test_an_offer_that_was_taken_back_is_not_told_again_after_a_restart():
    far = Far("ice_restart", "conversations")
    far.w.state.told = ["offer", "v=0"]
    far.page_offers()
    far.w.state.told = ["offer", "v=0"]
    assert far.w.fires("change") == ["page: rollback ice-restart"] and far.w.state.told == []


# --- peers


def test_a_flood_of_half_answers_is_kept_within_bounds():
    """Each was read again with all before it: work in proportion to the square of their number."""
    far = Far("add_video")
    text = far.rounds[1]["offer"]
    head, _, video = text.partition("m=video")
    far.page_offers(text=f"{head}m=video{video}m=video{video.replace('a=mid:1', 'a=mid:2')}".replace("BUNDLE 0 1", "BUNDLE 0"))
    for _ in range(MOST_PARTS + 5):
        assert far.w.sends("content-reject", contents=(Content("1"),)) == []
    assert len(far.w.state.change.heard) == MOST_PARTS and "stanza-dropped" in far.w.notes()


def test_a_flood_of_large_parts_is_kept_within_bounds():
    far = Far("av", "bridge")
    whole = far.w.state.side.peer.contents[0]
    part = marked([Jingle("description-info", "id1", contents=(whole,) * 10)] * 2, "offer", 1)[0]
    for _ in range(MOST_PARTS):
        far.says([part])
        if far.w.state.signalling is REMOTE:
            break
    assert sum(map(len, far.w.state.change.heard)) <= MOST_TEXT


def test_a_restart_is_answered_although_a_bundled_content_had_no_credentials():
    """COMPAT(Conversations 2.12): a content that it accepted into the bundle has an empty transport. J-193, J-214"""
    far = Far("ice_restart", "conversations")
    state = far.w.state
    contents = [
        replace(c, transport=replace(c.transport, ufrag=None, pwd=None)) if n else c for n, c in enumerate(state.side.peer.contents)
    ]
    assert len(contents) > 1
    side = state.copied_side()
    side.peer = side.peer._replace(contents=tuple(contents))
    state.side = side
    far.page_offers()
    assert far.says([far.first_candidate()])[0] == "page: answer"


def test_two_peers_without_senders_none_do_not_answer_each_other_for_ever():
    """Both pages only want to receive. Each said "only you send", the other the contrary, as fast as the network could. J-218"""
    Pair(40, "unknown").run()


def test_no_call_of_data_alone_to_a_device_that_has_no_data_channels():
    """It was refused after the call was in the tables, where nothing ended it."""
    w = World(PeerResource(PHONE, frozenset(DEVICE | {JMI})))
    page = Browser("w", random.Random(1))
    page.add("application")
    assert w.does(ev.Placed("c1", ROMEO, page.text("actpass"))) == ["page: ended unreachable", "no more timers"]
    assert not w.registry.calls and not any(isinstance(effect, fx.SendJingle) for effect in w.last)


def test_stanza_by_stanza_no_peer_tells_more_than_a_call_can_keep():
    """Each of these fits into a stanza. Together they made a description that could not be read again: after the next rollback, or a
    restart, every event of the call failed. J-244"""
    far = Far("av")
    for content in far.w.state.side.peer.contents:
        types = content.description.payload_types
        parameter = next(type(item.parameters[0]) for item in types if item.parameters)
        large = tuple(parameter(f"k{number}", "x" * 700) for number in range(60 // len(types) + 1))
        description = replace(content.description, payload_types=tuple(item._replace(parameters=large) for item in types))
        far.w.sends("description-info", contents=(Content(content.name, content.creator, description=description),))
        if far.w.state.signalling is REMOTE:
            far.page_answers(text=far.rounds[0]["offer"].replace("actpass", "active"))
        assert CallState.from_json(far.w.state.to_json()).side.peer is not None
    assert far.w.notes() == ["change-refused"] and far.w.state.signalling is STABLE
