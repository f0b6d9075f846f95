"""`translate --stream`: two endpoints, and between them nothing but the stanzas of a Jingle session."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from jinglebridge import schemas
from jinglebridge.errors import BadRequest, OutOfOrder, Refused
from jinglebridge.jingle import Role
from jinglebridge.jingle.xep_0166 import CONTENT
from jinglebridge.sdp import parse
from jinglebridge.translate import applied, changes
from jinglebridge.translate.policy import NONE, SAFE
from jinglebridge.translate.side import Side
from jinglebridge.translate.side_trickle import heard, told
from jinglebridge.translate.stream import MAX_CALLS, StreamTranslator
from tests.unit.cases import small
from tests.unit.corpus import cases

LINE = "candidate:f 1 udp 5 192.0.2.1 9 typ host generation 0"
HEAD = ("a=group:BUNDLE 0 1",)
VIDEO = [line.replace("audio", "video").replace("a=mid:0", "a=mid:1") for line in small().split("\r\n")[4:-1]]
OTHER_SIDE = {"a2b": "b2a", "b2a": "a2b"}


def init(text: str = LINE, mid: str | None = "0", index: int = 0, **more):
    return {"candidate": text, "sdpMid": mid, "sdpMLineIndex": index, **more}


def answer(*extra: str, drop: tuple[str, ...] = (), **more) -> str:
    return small("a=setup:active", *extra, drop=("setup", *drop), **more)


def two(*audio: str, video: tuple[str, ...] = (), **more) -> str:
    return small(*audio, *VIDEO, *video, head=HEAD, **more)


def answered(text: str, offered: str = "a2b") -> str:
    """The answer to an offer that went in that direction; in these calls the initiator is the DTLS server."""
    return text.replace("a=setup:actpass", "a=setup:active" if offered == "a2b" else "a=setup:passive")


def restarted(text: str, ufrag: str = "new1") -> str:
    return text.replace("a=ice-ufrag:ufra", f"a=ice-ufrag:{ufrag}")


class Stream:
    """Two endpoints on one translator. `travelled`: the stanzas of the last message, each of them valid by the schemas."""

    def __init__(self, policy=NONE, **more) -> None:
        self.translator, self.n = StreamTranslator(policy, check=self._seen, **more), 0
        self.travelled: list[str] = []

    def _seen(self, text: str) -> None:
        self.travelled.append(text)
        assert schemas.validate(text) == [], text

    @property
    def actions(self) -> list[str]:
        return [re.search(r' action="([\w-]+)"', text)[1] for text in self.travelled]

    def say(self, dir: str, kind: str, **what):
        self.n += 1
        self.travelled = []
        reply = self.translator.handle({"id": self.n, "call": "c", "dir": dir, "kind": kind, "round": 1, **what})
        assert reply["id"] == self.n
        return reply

    def sdp(self, dir: str, kind: str, text: str) -> str:
        reply = self.say(dir, kind, sdp=text)
        assert "error" not in reply, reply
        return reply["sdp"]

    def round(self, dir: str, offer: str, given: str) -> tuple[str, str]:
        """What the answerer and the offerer get."""
        return self.sdp(dir, "offer", offer), self.sdp(OTHER_SIDE[dir], "answer", given)

    def agree(self) -> None:
        """Both sides know of each other exactly what was said."""
        a, b = (self.translator.calls["c"][role] for role in Role)
        for knows, said in ((a.peer, b.own), (b.peer, a.own)):
            if knows is None or said is None:
                assert knows is said
                continue
            assert [CONTENT.text(c) for c in knows.contents] == [CONTENT.text(c) for c in said.contents]
            assert knows.groups == said.groups


@pytest.fixture
def plain() -> Stream:
    """An audio and video call of which nothing but standard elements is told."""
    return established(Stream())


@pytest.fixture(params=[False, True], ids=["default", "extensions"])
def call(request) -> Stream:
    return established(Stream(extensions=request.param))


def established(stream: Stream) -> Stream:
    stream.round("a2b", two(), answered(two()))
    return stream


@pytest.mark.parametrize("extensions", [False, True], ids=["default", "extensions"])
@pytest.mark.parametrize("case", cases(), ids=lambda case: case["name"])
def test_real_negotiations_pass(case, extensions):
    stream = Stream(extensions=extensions)
    for turn in case["rounds"]:
        there = "a2b" if turn["by"] == "offerer" else "b2a"
        back = OTHER_SIDE[there]
        given = parse(stream.sdp(there, "offer", turn["offer"]))
        if not turn["answer"]:
            continue
        trickle(stream, there, turn["offerCandidates"])
        got = parse(stream.sdp(back, "answer", turn["answer"]))
        assert [m.mid for m in got.media] == [m.mid for m in parse(turn["offer"]).media]
        assert len(given.media) == len(parse(turn["answer"]).media)
        trickle(stream, back, turn["answerCandidates"])
        stream.agree()


def trickle(stream: Stream, direction: str, candidates) -> None:
    for candidate in candidates or ():
        if candidate is None:
            continue
        reply = stream.say(direction, "candidate", candidate=candidate)
        assert "error" not in reply and len(stream.travelled) == (reply["candidate"] is not None)
        if reply["candidate"] and candidate["candidate"]:
            words = candidate["candidate"].split()
            assert reply["candidate"]["candidate"].lower().split()[:8] == [word.lower() for word in words[:8]]
            assert candidate["sdpMid"] in (None, reply["candidate"]["sdpMid"])


def test_the_first_round_is_session_initiate_and_session_accept():
    stream = Stream()
    stream.sdp("a2b", "offer", small())
    assert stream.actions == ["session-initiate"]
    stream.sdp("b2a", "answer", answer())
    assert stream.actions == ["session-accept"]


def test_only_the_initiator_begins():
    assert "initiator" in Stream().say("b2a", "offer", sdp=small())["error"]


def test_a_first_offer_can_be_made_again():
    stream = Stream()
    stream.sdp("a2b", "offer", small())
    stream.sdp("a2b", "offer", small("a=fmtp:111 x=1"))
    assert stream.actions == ["session-initiate"]


@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_hold_is_a_content_modify_each_and_so_is_resume(plain, direction):
    """J-219: by either side, and the answer tells nothing but its acknowledgement."""
    held = two().replace("a=sendrecv", "a=sendonly")
    given, got = plain.round(direction, held, answered(held.replace("sendonly", "recvonly"), direction))
    assert plain.travelled == [] and given.count("a=sendonly") == got.count("a=recvonly") == 2
    plain.sdp(direction, "offer", two())
    assert plain.actions == ["content-modify"] * 2 and all("<description" not in text for text in plain.travelled)
    got = plain.sdp(OTHER_SIDE[direction], "answer", answered(two(), direction))
    assert plain.actions == [] and got.count("a=sendrecv") == 2
    plain.agree()


def test_a_narrower_answer_is_a_contrary_content_modify(plain):
    """J-218."""
    got = plain.round("a2b", two(), answered(two().replace("sendrecv", "recvonly")))[1]
    assert plain.actions == ["content-modify"] * 2 and got.count("a=recvonly") == 2


def test_an_offer_of_nothing_new_still_asks(plain):
    plain.sdp("b2a", "offer", two())
    assert plain.actions == ["content-modify"]
    plain.sdp("a2b", "answer", answered(two(), "b2a"))
    assert plain.actions == []


@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_a_new_section_is_added_and_accepted(direction):
    """J-212, J-213."""
    stream = Stream()
    stream.round("a2b", small(), answer())
    given = stream.sdp(direction, "offer", two())
    assert stream.actions == ["content-add"] and "m=video" in given and "a=group:BUNDLE 0 1" not in given.split("m=")[1]
    got = stream.sdp(OTHER_SIDE[direction], "answer", answered(two(), direction))
    assert stream.actions[0] == "content-accept" and got.count("m=") == 2
    creator = "initiator" if direction == "a2b" else "responder"
    assert f'creator="{creator}"' in stream.travelled[0]
    stream.agree()


def test_a_new_section_can_be_rejected():
    """J-215: port 0 for who added it, and the next offer goes on without."""
    stream = Stream()
    stream.round("a2b", small(), answer())
    refused = answered(two()).replace("m=video 9", "m=video 0")
    got = stream.round("a2b", two(), refused)[1]
    assert stream.actions[0] == "content-reject" and "m=video 0 " in got
    stream.agree()
    stream.round("a2b", two().replace("m=video 9", "m=video 0"), refused)
    stream.agree()


def test_a_stopped_section_is_removed_and_its_place_used_again(call):
    """J-216; RFC 8829 §5.2.2."""
    gone = two().replace("m=video 9", "m=video 0").replace("BUNDLE 0 1", "BUNDLE 0")
    given, got = call.round("a2b", gone, answered(gone))
    assert "m=video 0 " in given and "m=video 0 " in got
    again = two().replace("a=mid:1", "a=mid:2").replace("BUNDLE 0 1", "BUNDLE 0 2")
    given = call.sdp("a2b", "offer", again)
    assert call.actions == ["content-add"] and given.count("m=") == 2 and "a=mid:2" in given
    got = call.sdp("b2a", "answer", answered(again))
    assert got.count("m=video 9") == 1
    call.agree()


def test_an_answer_has_the_sections_of_its_offer_and_no_more():
    """RFC 3264 §6, whatever the other side says with extensions."""
    stream = Stream(extensions=True)
    more = "m=text 0 RTP/AVP 98\r\na=mid:9\r\n"
    got = stream.round("a2b", small(), answer() + more)[1]
    assert stream.travelled[0].count("<section ") == 1 and got.count("m=") == 1


@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_an_ice_restart_is_a_transport_info_each_way(call, direction):
    """J-171."""
    given = call.sdp(direction, "offer", restarted(two()))
    assert call.actions == ["transport-info"] and given.count("a=ice-ufrag:new1") == 2
    got = call.sdp(OTHER_SIDE[direction], "answer", answered(restarted(two(), "new2"), direction))
    assert call.actions == ["transport-info"] and got.count("a=ice-ufrag:new2") == 2
    call.agree()


def test_candidates_of_before_a_restart_are_dropped(call):
    """J-169."""
    call.round("a2b", restarted(two()), answered(restarted(two(), "new2")))
    for late in (init(usernameFragment="ufra"), init(LINE + " ufrag ufra")):
        assert call.say("a2b", "candidate", candidate=late)["candidate"] is None and call.travelled == []
    assert call.say("a2b", "candidate", candidate=init(usernameFragment="new1"))["candidate"]["usernameFragment"] == "new1"


def test_later_sdps_repeat_the_candidates_known(call):
    """J-220; and the number in o= stays while its version grows."""
    call.say("a2b", "candidate", candidate=init())
    first = call.sdp("a2b", "offer", two())
    second = call.sdp("a2b", "offer", two("a=" + LINE))
    assert call.actions == ["content-modify"] and f"a={LINE}" in first and second.count(f"a={LINE}") == 1
    origins = [text.split("\r\n")[1].split() for text in (first, second)]
    assert origins[0][1] == origins[1][1] and int(origins[1][2]) == int(origins[0][2]) + 1


def test_dtls_roles_stay_as_agreed(plain):
    """Table M-5: a later offer says actpass, a later answer the role of the first exchange, whoever offers."""
    given, got = plain.round("b2a", two(), two().replace("a=setup:actpass", "a=setup:passive"))
    assert given.count("a=setup:actpass") == 2 and got.count("a=setup:passive") == 2
    given, got = plain.round("a2b", two(), answered(two()))
    assert given.count("a=setup:actpass") == 2 and got.count("a=setup:active") == 2 and plain.actions == []


def test_a_change_of_the_dtls_role_does_not_pass(plain):
    """J-184. COMPAT(Firefox 153): answers active as the server when the other side restarts ICE."""
    got = plain.round("b2a", restarted(two()), restarted(two(), "new2").replace("a=setup:actpass", "a=setup:active"))[1]
    assert plain.actions == ["transport-info"] and got.count("a=setup:passive") == 2


def test_one_candidate_and_one_content_in_each_transport_info(call):
    """J-153, J-147."""
    call.say("a2b", "candidate", candidate=init())
    (text,) = call.travelled
    assert text.count("<content ") == text.count("<candidate ") == 1 and 'ufrag="ufra"' in text and " pwd=" in text


def test_candidates_of_the_stream():
    stream = Stream()
    assert "before" in stream.say("a2b", "candidate", candidate=init())["error"]
    stream.sdp("a2b", "offer", small())
    reply = stream.say("a2b", "candidate", candidate=init(usernameFragment="ufra"))
    assert reply["candidate"] == init(usernameFragment="ufra")
    assert stream.say("a2b", "candidate", candidate=init(mid=None))["candidate"]["sdpMid"] == "0"
    assert stream.say("a2b", "candidate", candidate=init(LINE.replace(" 1 udp", " 2 udp")))["candidate"] is None
    assert stream.say("a2b", "candidate", candidate=init(""))["candidate"]["candidate"] == ""
    assert "unknown section" in stream.say("a2b", "candidate", candidate=init(mid="9"))["error"]
    assert "not a candidate" in stream.say("a2b", "candidate", candidate=init("x"))["error"]
    for other in (["x"], [], 0, False):
        assert "not a candidate" in stream.say("a2b", "candidate", candidate=init(other))["error"]
    assert stream.say("a2b", "candidate", candidate=init(None))["candidate"]["candidate"] == ""
    assert "before" in stream.say("b2a", "candidate", candidate=init())["error"]


def test_candidates_do_not_pile_up():
    stream = Stream()
    stream.sdp("a2b", "offer", small())
    for port in range(1, 101):
        assert stream.say("a2b", "candidate", candidate=init(LINE.replace(" 9 ", f" {port} ")))["candidate"]
    assert stream.say("a2b", "candidate", candidate=init())["candidate"] is None


def test_candidates_keep_their_tail_with_extensions():
    tail = " ufrag ufra network-id 1 network-cost 10"
    plain, whole = Stream(), Stream(extensions=True)
    for stream in (plain, whole):
        stream.sdp("a2b", "offer", small())
    assert whole.say("a2b", "candidate", candidate=init(LINE + tail))["candidate"]["candidate"] == LINE + tail
    assert plain.say("a2b", "candidate", candidate=init(LINE + tail))["candidate"]["candidate"] == LINE


def test_candidates_follow_policies():
    stream = Stream(SAFE)
    stream.sdp("a2b", "offer", small())
    assert stream.say("a2b", "candidate", candidate=init(LINE.replace("192.0.2.1", "x.local")))["candidate"] is None
    assert stream.say("a2b", "candidate", candidate=init(""))["candidate"] is None
    assert stream.say("a2b", "end") == {"id": stream.n, "candidate": None} and stream.travelled == []


def test_the_end_of_candidates_is_told_for_each_content(call):
    """J-165, J-166: complete when the last content is."""
    call.say("a2b", "candidate", candidate=init(""))
    assert call.say("a2b", "end")["out"] == [{"kind": "end"}]
    assert call.actions == ["transport-info"] and 'name="1"' in call.travelled[0] and "<gathering-complete" in call.travelled[0]
    call.say("a2b", "end")
    assert call.travelled == []


def test_the_end_before_any_description_ends_nothing():
    stream = Stream()
    assert stream.say("a2b", "end") == {"id": 1, "candidate": None}
    stream.sdp("a2b", "offer", small())
    assert stream.say("b2a", "end") == {"id": 3, "candidate": None}


def test_sections_without_content_have_no_candidates():
    stream = Stream()
    other = "m=text 9 RTP/AVP 98\r\na=mid:d\r\na=rtpmap:98 t140/1000\r\n"
    stream.sdp("a2b", "offer", small(drop=("mid",)) + other)
    assert stream.say("a2b", "candidate", candidate=init(mid="d", index=1))["candidate"] is None
    assert stream.say("a2b", "candidate", candidate=init(mid=None))["candidate"]["sdpMid"] == "0"


def test_candidates_of_a_content_that_the_answer_left_out_go_nowhere():
    stream = Stream()
    apart = two().replace(HEAD[0] + "\r\n", "")
    stream.round("a2b", apart, answered(apart).replace("m=video 9", "m=video 0"))
    assert stream.say("a2b", "candidate", candidate=init(mid="1", index=1))["candidate"] is None


def test_names_that_are_no_mids_are_translated_in_both_directions():
    """J-195: offers of either side and candidates find their section."""
    stream, long = Stream(), "x" * 40
    mine = small(mid=long)
    given = stream.sdp("a2b", "offer", mine)
    mid = parse(given).media[0].mid
    assert mid != long
    got = stream.sdp("b2a", "answer", answer(mid=mid))
    assert parse(got).media[0].mid == long
    assert stream.say("b2a", "candidate", candidate=init(mid=mid))["candidate"]["sdpMid"] == long
    assert stream.say("a2b", "candidate", candidate=init(mid=long))["candidate"]["sdpMid"] == mid
    given = stream.sdp("b2a", "offer", small("a=sendonly", drop=("sendrecv",), mid=mid))
    assert stream.actions == ["content-modify"] and parse(given).media[0].mid == long
    assert len(parse(given).media) == 1
    got = stream.sdp("a2b", "answer", answer("a=recvonly", drop=("sendrecv",), mid=long))
    assert [media.mid for media in parse(got).media] == [mid] and "a=recvonly" in got
    given = stream.sdp("a2b", "offer", mine)
    assert [media.mid for media in parse(given).media] == [mid]
    stream.sdp("b2a", "answer", small("a=setup:passive", drop=("setup",), mid=mid))
    stream.agree()


def test_lines_without_a_home_pass_with_extensions_only():
    lines = ("a=rid:h send", "a=rid:l send", "a=simulcast:send h;l")
    for extensions in (True, False):
        given = Stream(extensions=extensions).sdp("a2b", "offer", small(*lines)).split("\r\n")
        assert all((line in given) is extensions for line in lines)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"dir": "x"},
        {"dir": "a2b", "kind": "offer"},
        {"dir": "a2b", "kind": "offer", "sdp": 5},
        {"dir": "a2b", "kind": "offer", "sdp": "x"},
        {"dir": "a2b", "kind": "offer", "sdp": small(), "call": "\ud800" * 300},
        {"dir": "b2a", "kind": "answer", "sdp": small()},
        {"dir": "a2b", "kind": "answer", "sdp": small()},
        {"dir": "a2b", "kind": ["x"]},
    ],
)
def test_every_wrong_message_gets_its_error(message):
    reply = StreamTranslator().handle({"id": 1, "call": "c"} | message)
    assert reply["id"] == 1 and reply["error"]


def test_an_answer_twice_is_an_error(call):
    assert "without an offer" in call.say("b2a", "answer", sdp=answered(two()))["error"]


def test_an_answer_to_the_own_offer_is_an_error():
    stream = Stream()
    stream.sdp("a2b", "offer", small())
    assert "without an offer" in stream.say("a2b", "answer", sdp=answer())["error"]


def test_a_side_that_hears_nonsense():
    """What the two sides of a stream never send each other."""
    side = Side(Role.INITIATOR, "c")
    other = Side(Role.RESPONDER, "c")
    (initiate,) = side.offer(parse(small()))
    info = told(side, init())
    assert info is not None
    with pytest.raises(Refused, match="before"):
        heard(other, info)
    with pytest.raises(OutOfOrder):
        other.hear_answer([initiate])
    other.hear_offer([initiate])
    side.offer(parse(restarted(small())))
    late = told(side, init())
    assert late is not None and heard(other, late) == []
    known = other.peer
    assert known is not None and known.contents[0].transport.ufrag == "ufra" and not known.contents[0].transport.candidates
    assert len(heard(other, info)) == 1


def test_a_lone_surrogate_as_a_name_of_a_call():
    assert "error" not in StreamTranslator().handle({"id": 1, "call": "c\ud800", "dir": "a2b", "kind": "offer", "sdp": small()})


def test_a_message_that_gets_an_error_changes_nothing(call):
    """Also if it is the other side that cannot use it."""
    foreign = two().replace("111", "96")
    assert call.say("a2b", "offer", sdp=two())["sdp"]
    assert "J-122" in call.say("b2a", "answer", sdp=answered(foreign))["error"]
    assert "error" not in call.say("b2a", "answer", sdp=answered(two()))
    call.agree()


def test_a_stanza_that_the_check_refuses_is_the_error():
    def check(text: str) -> None:
        raise BadRequest(f"not valid: {text[:7]}")

    reply = StreamTranslator(check=check).handle({"id": 1, "call": "c", "dir": "a2b", "kind": "offer", "sdp": small()})
    assert reply == {"id": 1, "error": "not valid: <jingle"}


@pytest.mark.parametrize("seed", range(8))
def test_in_whatever_order_messages_come_both_sides_agree(seed):
    """Answers to nothing, crossing offers, descriptions of other calls, damaged lines: an error or a common state, never a crash."""
    dice = random.Random(seed)
    turns = [turn for case in dice.sample(cases(), 12) for turn in case["rounds"] if turn["answer"]]
    found = [item for turn in turns for item in (*turn["offerCandidates"], *turn["answerCandidates"]) if item]
    stream = Stream(dice.choice([NONE, SAFE]), extensions=seed % 2 == 0)
    passed = Counter()
    for _ in range(120):
        direction, kind = dice.choice(["a2b", "b2a"]), dice.choice(["offer", "answer", "candidate", "end"])
        lines = dice.choice(turns)[dice.choice(["offer", "answer"])].split("\r\n")
        for at in dice.sample(range(len(lines)), dice.choice([0, 0, 0, 3])):
            lines[at] = dice.choice(("", lines[at] + " x", "a=inactive", "a=mid:1", "m=video 0 UDP/TLS/RTP/SAVPF 96", dice.choice(lines)))
        reply = stream.say(direction, kind, sdp="\r\n".join(lines), candidate=dice.choice(found))
        passed[kind] += "error" not in reply
        if stream.translator.calls:
            stream.agree()
    assert passed["offer"] and passed["answer"] and passed["candidate"]


def test_calls_do_not_pile_up():
    """The one that was silent longest is forgotten."""
    translator = StreamTranslator()

    def end(call: int) -> None:
        translator.handle({"id": 1, "call": call, "dir": "a2b", "kind": "end"})

    for number in range(MAX_CALLS):
        end(number)
    end(0)
    end(MAX_CALLS)
    assert len(translator.calls) == MAX_CALLS and "0" in translator.calls and "1" not in translator.calls


def test_sdp_does_not_pile_up(monkeypatch):
    """The size of what is remembered counts, not only the number of calls; one call alone is always remembered."""
    translator = StreamTranslator(extensions=True)

    def say(call: str, **what) -> None:
        assert "error" not in translator.handle({"id": 1, "call": call, "dir": "a2b", "kind": "offer", "sdp": two(), **what})

    def size() -> int:
        return sum(side.size for call in translator.calls.values() for side in call.values())

    say("a")
    one = translator.held
    assert one == size() > 2 * len(two())
    monkeypatch.setattr("jinglebridge.translate.stream.MAX_HELD", 3 * one + one // 2)
    for call in "bcad":
        say(call)
    assert list(translator.calls) == ["c", "a", "d"] and translator.held == size()
    say("c", kind="candidate", candidate=init())
    assert translator.held == size() > 3 * one + len(LINE)
    monkeypatch.setattr("jinglebridge.translate.stream.MAX_HELD", 1)
    say("e")
    assert list(translator.calls) == ["e"] and translator.held == size()


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"dir": None}, "dir is missing"),
        ({"dir": ["a2b"]}, "dir is a string"),
        ({"dir": "x"}, "dir is a2b or b2a"),
        ({"call": None}, "call is missing"),
        ({"call": ["c"]}, "call is a string"),
        ({"call": ""}, "call is a name of 1 to 200 characters"),
        ({"call": "c" * 201}, "call is a name of 1 to 200 characters"),
        ({"kind": "offers"}, "kind is offer, answer, candidate or end"),
        ({}, "sdp is missing"),
        ({"kind": "answer"}, "sdp is missing"),
        ({"sdp": {}}, "sdp is a string"),
        ({"kind": "candidate", "sdp": small()}, "candidate is missing"),
        ({"kind": "candidate", "candidate": LINE}, "candidate is an object"),
    ],
)
def test_a_message_that_lacks_something_is_told_what(message, error):
    assert StreamTranslator().handle({"id": "m", "call": 1, "dir": "a2b", "kind": "offer"} | message) == {"id": "m", "error": error}


@pytest.mark.parametrize("id", [[], {}, [[1]]])
def test_an_id_that_cannot_be_repeated_is_an_error_without_one(id):
    assert StreamTranslator().handle({"id": id, "call": "c", "dir": "a2b", "kind": "end"}) == {
        "id": None,
        "error": "id is a string or a number",
    }


def test_many_candidates_take_time_in_proportion_to_their_number(monkeypatch):
    """With extensions each candidate has an element of its own; those that are known are not read again for each new one."""
    read, work = applied.read, 0

    def counting(unknown):
        nonlocal work
        work += sum(len(el) for el in unknown)
        return read(unknown)

    for module in (applied, changes):
        monkeypatch.setattr(module, "read", counting)
    found = []
    for number in (20, 80):
        call, work = established(Stream(extensions=True)), 0
        more = tuple(f"a={LINE.replace(' 9 ', f' {port} ')} network-cost 10" for port in range(1, number + 1))
        given = call.sdp("a2b", "offer", two(*more))
        assert call.actions == ["transport-info"] * number and given.count("network-cost 10") == number
        call.agree()
        found.append(work)
    assert found[1] < 6 * found[0]
