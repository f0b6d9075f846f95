"""What changed becomes the stanzas that a Jingle session has for it, and nothing is lost on the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from jinglebridge.errors import ItemNotFound, ResourceConstraint
from jinglebridge.jingle import Content, Fingerprint, Group, IceUdpTransport, Jingle, Role, Senders, jingle_text, parse_jingle
from jinglebridge.jingle.private import read
from jinglebridge.jingle.xep_0166 import CONTENT, MAX_CONTENTS
from jinglebridge.sdp import parse
from jinglebridge.translate.agreed import answering, as_offer, renamed, settled, with_creators, with_roles, without
from jinglebridge.translate.applied import MAX_CANDIDATES, apply, apply_all
from jinglebridge.translate.changes import changes, reminder
from jinglebridge.translate.session import Described, from_sdp
from jinglebridge.xml import parse_text
from tests.unit.cases import FINGERPRINT, small
from tests.unit.corpus import cases

BUNDLE = ("a=group:BUNDLE 0 1",)
HOST = "a=candidate:f 1 udp 5 192.0.2.1 9 typ host generation 0"
VIDEO = [line.replace("audio", "video").replace("a=mid:0", "a=mid:1") for line in small().split("\r\n")[4:-1]]


def said(sdp: str, *, extensions: bool = False, author: Role = Role.INITIATOR) -> Described:
    return from_sdp(parse(sdp), author, creator=Role.INITIATOR, extensions=extensions)


def two(*audio: str, video: tuple[str, ...] = (), **more) -> str:
    return small(*audio, *VIDEO, *video, head=BUNDLE, **more)


def carried(stanzas) -> list[Jingle]:
    """As the other side reads them."""
    return [parse_jingle(parse_text(jingle_text(jingle))) for jingle in stanzas]


def told(old: Described, new: Described, **more) -> list[Jingle]:
    """The changes, after a look at what the other side makes of them."""
    stanzas = carried(changes(old, new, "s", **more))
    same(apply_all(old, stanzas), new)
    assert all(len(jingle.contents) == 1 and jingle.sid == "s" for jingle in stanzas)  # J-153
    return stanzas


def same(found: Described, wanted: Described) -> None:
    """Equal up to the order of contents and to candidates that are no longer repeated."""
    by_name = {content.name: content for content in found.contents}
    assert set(by_name) == {content.name for content in wanted.contents}
    for content in wanted.contents:
        other = by_name[content.name]
        assert frame(other) == frame(content)
        have = candidates(other)
        assert not candidates(content) - have
        if content.transport and content.transport.gathering_complete:
            assert other.transport and other.transport.gathering_complete
    assert found.groups == wanted.groups
    assert read(found.unknown) == read(wanted.unknown)


def frame(content: Content) -> str:
    transport = content.transport
    if transport is not None:
        transport = replace(transport, candidates=(), gathering_complete=False)
    text = CONTENT.text(replace(content, transport=transport, senders=content.senders or Senders.BOTH, unknown=()))
    return text + repr(replace(read(content.unknown), candidates=()))


def candidates(content: Content) -> Counter:
    transport = content.transport or IceUdpTransport()
    return Counter(replace(item, id="") for item in transport.candidates)


def actions(stanzas) -> list[str]:
    return [jingle.action for jingle in stanzas]


RENEGOTIATED = [case for case in cases() if len(case["rounds"]) > 1]


@pytest.mark.parametrize("extensions", [False, True], ids=["default", "extensions"])
@pytest.mark.parametrize("case", RENEGOTIATED, ids=lambda case: case["name"])
def test_applied_changes_are_the_new_description(case, extensions):
    """Of every real renegotiation, each side's descriptions one after the other, also those that skip a round."""
    for side in ("offerer", "answerer"):
        author = Role.INITIATOR if side == "offerer" else Role.RESPONDER
        texts = [turn["offer"] if turn["by"] == side else turn["answer"] for turn in case["rounds"]]
        known = [as_offer(said(text, extensions=extensions, author=author)) for text in texts if text]
        for at, old in enumerate(known):
            for new in known[at:]:
                told(old, new)


def test_the_same_again_tells_nothing():
    assert changes(said(two()), said(two()), "s") == ()


def test_a_stanza_that_changes_nothing_asks_for_an_answer():
    known = said(two(drop=("sendrecv",)) + "a=sendonly\r\n")
    jingle = reminder(known, "s")
    assert jingle.action == "content-modify" and jingle.contents[0].senders is Senders.BOTH
    same(apply(known, jingle), known)


def test_a_new_section_is_a_content_add_that_joins_the_bundle():
    """J-212, J-191."""
    stanzas = told(said(small(head=("a=group:BUNDLE 0",))), said(two()))
    assert actions(stanzas) == ["content-add"] and stanzas[0].contents[0].name == "1"
    assert stanzas[0].groups == (Group("BUNDLE", ("0", "1")),)


def test_an_answer_accepts_what_was_added():
    stanzas = told(said(small(head=("a=group:BUNDLE 0",))), said(two()), answer=True)
    assert actions(stanzas) == ["content-accept"]


def test_a_section_less_is_a_content_remove_with_its_description():
    """J-216; J-214: Conversations needs the description."""
    stanzas = told(said(two()), said(small(head=("a=group:BUNDLE 0",))))
    assert actions(stanzas) == ["content-remove"]
    content = stanzas[0].contents[0]
    assert content.name == "1" and content.description is not None and content.transport is None and not stanzas[0].groups


def test_only_who_may_send_is_a_content_modify_with_nothing_else():
    """J-218, J-219."""
    stanzas = told(said(small()), said(small("a=sendonly", drop=("sendrecv",))))
    assert actions(stanzas) == ["content-modify"]
    assert stanzas[0].contents == (Content("0", senders=Senders.INITIATOR),)
    back = told(said(small("a=sendonly", drop=("sendrecv",))), said(small()))
    assert back[0].contents[0].senders is Senders.BOTH


def test_other_codecs_are_a_description_info():
    """XEP-0167, examples 28 and 70."""
    stanzas = told(said(small()), said(small("a=fmtp:111 useinbandfec=1")))
    assert actions(stanzas) == ["description-info"]
    content = stanzas[0].contents[0]
    assert content.description is not None and content.transport is None and content.senders is None


def test_an_ice_restart_is_one_transport_info_without_candidates_for_the_bundle():
    """J-171; the other content of the bundle follows, and the old candidates are gone."""
    fresh = two().replace("a=ice-ufrag:ufra", "a=ice-ufrag:new1")
    stanzas = told(said(two(HOST)), said(fresh))
    assert actions(stanzas) == ["transport-info"]
    transport = stanzas[0].contents[0].transport
    assert transport == IceUdpTransport("new1", "0123456789012345678901")
    after = apply_all(said(two(HOST)), stanzas)
    assert [content.transport.ufrag for content in after.contents] == ["new1", "new1"]
    assert all(not content.transport.candidates for content in after.contents)


def test_an_ice_restart_without_bundle_tells_each_content():
    old, fresh = (text.replace(BUNDLE[0] + "\r\n", "") for text in (two(), two().replace("a=ice-ufrag:ufra", "a=ice-ufrag:new1")))
    assert actions(told(said(old), said(fresh))) == ["transport-info"] * 2


def test_another_fingerprint_is_a_transport_info_with_it():
    fresh = small().replace(FINGERPRINT, FINGERPRINT.replace("AB", "CD")).replace("a=ice-ufrag:ufra", "a=ice-ufrag:new1")
    (jingle,) = told(said(small(HOST)), said(fresh))
    transport = jingle.contents[0].transport
    assert jingle.action == "transport-info" and transport.fingerprints[0].value.startswith("CD") and transport.ufrag == "new1"


def test_each_new_candidate_is_a_transport_info_under_an_id_of_its_own():
    """J-152, J-153; with ufrag and pwd, J-147."""
    more = HOST.replace("192.0.2.1", "192.0.2.2")
    (jingle,) = told(said(small(HOST)), said(small(more, HOST)))
    transport = jingle.contents[0].transport
    assert [item.ip for item in transport.candidates] == ["192.0.2.2"] and transport.ufrag and transport.pwd
    after = apply(said(small(HOST)), jingle)
    assert len({item.id for item in after.contents[0].transport.candidates}) == 2
    assert changes(after, said(small(HOST)), "s") == ()  # nothing is taken back


def test_the_tail_of_a_candidate_goes_with_it():
    new = said(small(f"{HOST} network-cost 10"), extensions=True)
    (jingle,) = told(said(small(), extensions=True), new)
    assert read(jingle.contents[0].unknown).candidates
    assert read(apply(said(small()), jingle).contents[0].unknown).candidates == read(new.contents[0].unknown).candidates


def test_the_end_of_candidates_is_told_once():
    ended = said(small(HOST, "a=end-of-candidates"))
    (jingle,) = told(said(small(HOST)), ended)
    assert jingle.action == "transport-info" and jingle.contents[0].transport.gathering_complete
    assert changes(ended, ended, "s") == () == changes(ended, said(small(HOST)), "s")


def test_a_group_alone_travels_with_a_content_modify():
    apart = two().replace(BUNDLE[0] + "\r\n", "")
    (jingle,) = told(said(apart), said(two()))
    assert jingle.action == "content-modify" and jingle.groups == (Group("BUNDLE", ("0", "1")),)
    (jingle,) = told(said(two()), said(apart))
    assert jingle.groups == (Group("BUNDLE"),)


def test_session_lines_without_a_home_travel_with_the_last_stanza():
    old, new = said(two(), extensions=True), said(two("a=fmtp:111 a=1").replace("s=-\r\n", "s=-\r\na=x-new\r\n"), extensions=True)
    (jingle,) = told(old, new)
    assert jingle.action == "description-info" and jingle.unknown
    (jingle,) = told(new, old)
    assert not read(apply(new, jingle).unknown).lines


def test_last_stanza_is_told_again_only_once():
    """A candidate beside a new group must not be there twice."""
    apart = two().replace(BUNDLE[0] + "\r\n", "")
    stanzas = told(said(apart), said(two(video=(HOST,))))
    assert actions(stanzas) == ["transport-info"] and stanzas[0].groups
    assert len(apply_all(said(apart), stanzas).contents[1].transport.candidates) == 1


@pytest.mark.parametrize("action", ["content-modify", "content-remove", "content-reject"])
def test_contents_that_are_not_there_are_not_found(action):
    with pytest.raises(ItemNotFound):
        apply(said(small()), Jingle(action, "s", contents=(Content("9"),)))


@pytest.mark.parametrize("action", ["transport-info", "description-info", "session-info", "security-info"])
def test_information_about_nothing_changes_nothing(action):
    """J-096: an error would end a call with Conversations."""
    known = said(small())
    other = said(small(mid="9", kind="video")).contents
    same(apply(known, Jingle(action, "s", contents=other)), known)


def test_a_transport_info_without_transport_changes_nothing():
    known = said(small())
    same(apply(known, Jingle("transport-info", "s", contents=(Content("0"),))), known)
    bare = Described((Content("0"),))
    assert apply(bare, Jingle("transport-info", "s", contents=known.contents)) == bare


def test_whole_descriptions_replace_everything():
    for action in ("session-initiate", "session-accept"):
        new = said(two())
        assert apply(said(small()), Jingle(action, "s", contents=new.contents, groups=new.groups)) == new


def test_a_content_modify_with_a_description_is_believed():
    """COMPAT(Movim): it writes whole contents there."""
    new = said(small("a=fmtp:111 x=1", "a=recvonly", drop=("sendrecv",)).replace("a=ice-ufrag:ufra", "a=ice-ufrag:new1"))
    after = apply(said(small(HOST)), Jingle("content-modify", "s", contents=new.contents))
    assert after.contents == new.contents


def test_credentials_may_be_left_out_of_a_candidate():
    """COMPAT(Movim): without pwd where it has stored none."""
    known = said(small())
    found = said(small(HOST)).contents[0].transport.candidates
    info = Jingle("transport-info", "s", contents=(Content("0", transport=IceUdpTransport(candidates=found)),))
    assert apply(known, info).contents[0].transport.candidates == found


def test_candidates_and_contents_do_not_pile_up():
    """J-105, DESIGN's limits: a peer cannot fill the memory."""
    known = said(small())
    found = said(small(HOST)).contents[0].transport.candidates
    info = Jingle("transport-info", "s", contents=(Content("0", transport=IceUdpTransport(candidates=found * 60)),))
    assert len(apply_all(known, [info] * 3).contents[0].transport.candidates) == MAX_CANDIDATES
    with pytest.raises(ResourceConstraint):
        apply_all(known, [Jingle("content-add", "s", contents=(Content(f"c{n}"),)) for n in range(MAX_CONTENTS)])


def test_contents_without_transport_are_told_without():
    old = Described((Content("0"),))
    assert changes(old, old, "s") == ()
    assert actions(changes(old, said(small()), "s")) == ["description-info", "transport-info"]


def test_an_agreed_round_has_one_opinion():
    """Opposite DTLS roles, senders as answered, only contents of both. Table M-5, J-110."""
    offer = said(two())
    answer = said(small("a=setup:active", "a=recvonly", drop=("setup", "sendrecv")), author=Role.RESPONDER)
    own, other = settled(offer, answer)
    assert [content.name for content in own.contents] == ["0"] == [content.name for content in other.contents]
    assert own.contents[0].senders is other.contents[0].senders is Senders.INITIATOR
    assert setups(own) == ["passive"] and setups(other) == ["active"]
    assert setups(as_offer(own)) == ["actpass"]
    narrow = settled(said(small("a=recvonly", drop=("sendrecv",))), answer)
    assert narrow[0].contents[0].senders is Senders.NONE  # an answer cannot widen its offer
    passive = said(small("a=setup:passive", drop=("setup",)), author=Role.RESPONDER)
    assert setups(settled(offer, passive)[0]) == ["active"]


def test_a_later_answer_keeps_the_dtls_role():
    """J-184: of the same association; another certificate or a transport of its own may have another role."""
    active = two().replace("actpass", "active")
    assert setups(with_roles(said(active), said(small("a=setup:passive", drop=("setup",))))) == ["passive", "passive"]
    apart = active.replace(BUNDLE[0] + "\r\n", "")
    assert setups(with_roles(said(apart), said(small("a=setup:passive", drop=("setup",))))) == ["passive", "active"]
    other = small("a=setup:passive", drop=("setup",)).replace(FINGERPRINT, FINGERPRINT.replace("AB", "CD"))
    assert setups(with_roles(said(active), said(other))) == ["active", "active"]
    bare = Described((Content("0"),))
    assert with_roles(bare, bare) == bare


def test_contents_without_transport_can_be_agreed():
    bare = Described((Content("0", senders=Senders.NONE),))
    assert settled(bare, Described((Content("0"),))) == (bare, bare)


def setups(described: Described) -> list[str]:
    prints: list[Fingerprint] = [item for content in described.contents for item in content.transport.fingerprints]
    return [str(item.setup) for item in prints]


def test_the_answerer_is_known_with_the_contents_and_senders_of_the_offer():
    offer = said(small("a=recvonly", drop=("sendrecv",)))
    known = answering(said(two()), offer)
    assert [(content.name, content.senders) for content in known.contents] == [("0", Senders.RESPONDER)]
    assert known.groups == (Group("BUNDLE", ("0",)),)


def test_contents_can_be_taken_out_and_renamed():
    known = said(two())
    assert without(known, ["0", "1"]) == Described(())
    other = renamed(known, {"1": "picture"})
    assert [content.name for content in other.contents] == ["0", "picture"] and other.groups[0].names == ("0", "picture")
    assert renamed(Described((Content("0"),), (Group("LS"),)), {"0": "x"}) == Described((Content("x"),))


def test_contents_keep_who_created_them():
    known = Described((Content("0", Role.RESPONDER),))
    assert [content.creator for content in with_creators(said(two()), known).contents] == [Role.RESPONDER, Role.INITIATOR]
