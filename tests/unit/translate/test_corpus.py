"""All 402 recorded negotiations, SDP → Jingle text → SDP without extensions: everything that has a home in the XEPs survives.

What does not come back as it was is in the rules of `tests/unit/expected.py`, each with its reason; here stands that they suffice and
that each is needed. One test goes over the whole corpus; a failure lists the first differences with their case.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice

import pytest

from jinglebridge.errors import ProtocolError
from jinglebridge.jingle import Jingle, Role, jingle_text, parse_jingle
from jinglebridge.sdp import SessionDescription, parse
from jinglebridge.translate import sdp_to_xml, xml_to_sdp
from jinglebridge.translate.session import Described, from_sdp, to_sdp
from jinglebridge.translate.trickle import candidate_from_sdp, candidate_to_sdp
from jinglebridge.xml import parse_text
from tests.unit.cases import corpus
from tests.unit.corpus import Round, cases, rounds, whole_corpus
from tests.unit.expected import ADDED, CALL, MEDIA, SESSION, Expected, Place, differences, expected

pytestmark = pytest.mark.no_cover  # see pyproject.toml


ROLES = ("initiator", "responder")


def first(problems: list[str]) -> str:
    return f"{len(problems)} differences, the first of them:\n" + "\n".join(islice(problems, 20))


def compared(want: Expected, back: SessionDescription) -> list[str]:
    """Differences of what came back; its o= line is ours."""
    got = {media.mid if media.mid is not None else str(media.index): media.lines for media in back.media}
    problems = differences(want.session, [re.sub("^o=.*", "o=", line) for line in back.lines])
    if list(got) != list(want.sections):
        problems.append(f"sections are {list(got)}, not {list(want.sections)}")
    return problems + [
        f"in section {mid}: {what}" for mid in want.sections if mid in got for what in differences(want.sections[mid], got[mid])
    ]


def test_the_readable_cases_are_among_the_packed_ones():
    packed = {case["name"]: case["rounds"] for case in cases()}
    assert len(packed) == 314 and len(list(rounds())) == 402
    for case in corpus():
        for mine, whole in zip(case["rounds"], packed[case["name"]], strict=False):
            assert (mine["by"], mine["offer"], mine["answer"]) == (whole["by"], whole["offer"], whole["answer"])


def test_every_description_is_the_same_to_the_byte_after_parse_and_format():
    for one in whole_corpus():
        assert parse(one.sdp).format() == re.sub("\r?\n", "\r\n", one.sdp), one.case
        assert parse(one.sdp.replace("\r\n", "\n")).format() == parse(one.sdp).format(), one.case


def test_every_line_with_a_home_survives_and_nothing_else_appears_whoever_wrote_it():
    used: Counter[str] = Counter()
    problems = []
    for one in whole_corpus():
        sdp = parse(one.sdp)
        for author in ROLES:
            xml = sdp_to_xml(one.sdp, author, answer=one.kind == "answer")
            back = parse(xml_to_sdp(xml, author))
            problems += [f"{one.case}, {one.kind} as {author}: {what}" for what in compared(expected(sdp, used), back)]
    assert not problems, first(problems)
    unused = {rule.name for rule in (*SESSION, *MEDIA, *ADDED)} - set(+used)
    assert not unused, f"exceptions that no description needs: {unused}"


def through_text(described: Described, action: str) -> Described:
    """As the other side reads it."""
    jingle = Jingle(action, "corpus", contents=described.contents, groups=described.groups)
    read = parse_jingle(parse_text(jingle_text(jingle)))
    return Described(read.contents, read.groups)


def exchanged(turn: Round) -> list[str]:
    """Differences of an offer and its answer, the answer held against the offer as a call does it."""
    author, other = Role(turn.by), Role(turn.other)
    offer, answer = parse(turn.offer), parse(turn.answer)
    offered = through_text(from_sdp(offer, author, creator=author), "session-initiate")
    given = to_sdp(offered, author, session_id=CALL, version=1)
    problems = [f"{turn}, offer: {what}" for what in compared(expected(offer, Counter()), given)]
    accepted = through_text(from_sdp(answer, other, accept_of=offered), "session-accept")
    back = to_sdp(accepted, other, session_id=CALL, version=1, offer=offer)
    if [media.mid for media in back.media] != [media.mid for media in offer.media]:
        return [*problems, f"{turn}: the answer's sections are not those of the offer"]
    want = expected(answer, Counter())
    for said, got in zip(answer.media, back.media, strict=True):
        if said.rejected:
            if not got.rejected and got.direction != "inactive":
                problems.append(f"{turn}, answer: rejected section {got.mid} came to life")
        else:
            problems += [f"{turn}, answer, section {got.mid}: {what}" for what in differences(want.sections[str(got.mid)], got.lines)]
    return problems


def test_an_answer_held_against_its_offer_loses_nothing_more():
    problems = [what for turn in rounds() for what in exchanged(turn)]
    assert not problems, first(problems)


def test_a_further_offer_keeps_the_places_of_the_sections():
    """RFC 3264 §8: no m= line ever goes, in whatever order the new description names its contents. A rejected one may be used again."""
    seen = 0
    for case in cases():
        for before, turn in zip(case["rounds"], case["rounds"][1:], strict=False):
            previous = parse(before["offer"])
            described = from_sdp(parse(turn["offer"]), Role.INITIATOR)
            turned = Described(described.contents[::-1], described.groups)
            back = to_sdp(turned, Role.INITIATOR, session_id=CALL, version=2, previous=previous)
            assert len(back.media) >= len(previous.media)
            assert all(was.rejected or was.mid == now.mid for was, now in zip(previous.media, back.media, strict=False)), case["name"]
            seen += 1
    assert seen == 88


def trickled(init: dict[str, object]) -> str | None:
    """A candidate through Jingle and back, None where nothing is to be sent."""
    found = candidate_from_sdp(str(init["candidate"]), id="c")
    return None if found is None else candidate_to_sdp(found)


def test_every_trickled_candidate_keeps_what_has_a_home():
    tail = next(rule for rule in MEDIA if rule.name == "candidate_tail")
    sdp = parse(next(rounds()).offer)
    place = Place(sdp, sdp.media[0])
    seen: Counter[str] = Counter()
    for one in whole_corpus():
        for init in one.candidates:
            text = str(init["candidate"] or "")
            if not text or text.split()[1] == "2":
                seen["dropped"] += 1
                assert trickled(init) is None, (one.case, text)
            else:
                seen["carried"] += 1
                wanted = tail.change("a=" + text.removeprefix("a="), place)
                assert wanted == [f"a={trickled(init)}"], (one.case, text)
    assert seen["carried"] > 2000 and seen["dropped"] > 100


@pytest.mark.parametrize("author", ROLES)
def test_what_is_no_description_of_the_corpus_is_refused_with_a_typed_error(author):
    """The corpus cut at every line: an SDP that ends too early is a smaller SDP or a typed error."""
    for one in islice(whole_corpus(), 0, None, 40):
        lines = one.sdp.splitlines(keepends=True)
        for end in range(0, len(lines), 7):
            try:
                xml_to_sdp(sdp_to_xml("".join(lines[:end]), author), author)
            except ProtocolError as problem:
                assert str(problem)
