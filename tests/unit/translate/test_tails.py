"""What follows the type of a candidate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jinglebridge.jingle.private import CandidateTail
from jinglebridge.translate.tails import candidate_extras, candidate_with_extras, tail_of, with_tail
from jinglebridge.translate.trickle import candidate_from_sdp

HEAD = "candidate:1 1 udp 2122260223 192.0.2.1 5000 typ"
LINES = [
    f"{HEAD} host",
    f"{HEAD} host generation 0",
    f"{HEAD} host generation 2 ufrag abcd network-id 3 network-cost 10",
    f"{HEAD} srflx raddr 10.0.0.1 rport 6000 generation 0 network-id 1",
    f"{HEAD} srflx",
    f"{HEAD} relay generation 0 raddr 10.0.0.1 rport 6000",
    f"{HEAD} host x-value a=b=c",
    "candidate:1 1 UDP 2122260223 192.0.2.1 5000 typ host",
    "candidate:1 1 TCP 2122260223 192.0.2.1 9 typ host tcptype active",
]


@pytest.mark.parametrize("line", LINES)
def test_a_trickled_candidate_comes_back_as_it_was(line: str) -> None:
    candidate = candidate_from_sdp(line, id="t1")
    assert candidate is not None
    unknown = candidate_extras(line, candidate)
    assert candidate_with_extras(candidate, unknown) == line
    other = candidate_from_sdp(line, id="t2")
    assert other is not None
    assert candidate_with_extras(other, unknown) == candidate_with_extras(other, ())


def test_the_default_form_needs_no_tail() -> None:
    line = f"{HEAD} host generation 0"
    candidate = candidate_from_sdp(line, id="t1")
    assert candidate is not None
    assert candidate_extras("a=" + line, candidate) == ()
    assert tail_of(line.removeprefix("candidate:"), candidate) is None


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (CandidateTail("t1", "generation generation"), "generation 0"),
        (CandidateTail("t1", "generation=7"), "generation 0"),  # <candidate/> says it
        (CandidateTail("t1", "network-cost"), ""),  # no value anywhere
        (CandidateTail("t1", "=x y= z=1"), "z 1"),
        (CandidateTail("t1", "network-id generation"), "network-id 0 generation 0"),
        (CandidateTail("t1", "", "TCP"), ""),
        (CandidateTail("t1", "typ=relay"), "typ relay"),
    ],
)
def test_a_strange_tail_says_nothing_contrary(tail: CandidateTail, expected: str) -> None:
    candidate = candidate_from_sdp(f"{HEAD} host generation 0", id="t1")
    assert candidate is not None
    assert with_tail(candidate, tail) == f"{HEAD} host {expected}".strip()


def test_what_the_element_says_more_than_its_tail_is_there() -> None:
    candidate = candidate_from_sdp(f"{HEAD} srflx raddr 10.0.0.1 rport 6000", id="t1")
    assert candidate is not None
    assert with_tail(candidate, CandidateTail("t1", "network-cost=1")) == f"{HEAD} srflx network-cost 1 raddr 10.0.0.1 rport 6000"


def test_extension_names_with_an_equals_sign_are_not_carried() -> None:
    line = f"{HEAD} host a=b c"
    candidate = candidate_from_sdp(line, id="t1")
    assert candidate is not None
    assert candidate_with_extras(candidate, candidate_extras(line, candidate)) == f"{HEAD} host"


UFRAG = f"{HEAD} host generation 0 ufrag 8hhY network-cost 10"


def test_the_ufrag_of_the_transport_has_a_home() -> None:
    candidate = candidate_from_sdp(UFRAG, id="t1")
    assert candidate is not None
    tail = tail_of(UFRAG.removeprefix("candidate:"), candidate, "8hhY")
    assert tail == CandidateTail("t1", "generation ufrag network-cost=10")
    assert with_tail(candidate, tail, "anew") == UFRAG.replace("8hhY", "anew")
    assert with_tail(candidate, tail) == UFRAG.replace(" ufrag 8hhY", "")
    assert candidate_with_extras(candidate, candidate_extras(UFRAG, candidate, "8hhY"), "8hhY") == UFRAG


def test_another_ufrag_is_carried_as_it_is() -> None:
    candidate = candidate_from_sdp(UFRAG, id="t1")
    assert candidate is not None
    unknown = candidate_extras(UFRAG, candidate, "othr")
    assert candidate_with_extras(candidate, unknown, "anew") == UFRAG


@pytest.mark.parametrize(
    "words", ["generation 300 network-id 300", "generation x network-id -1", "generation 007 network-id 01", "generation 0"]
)
def test_a_number_that_the_element_cannot_say_comes_back_until_it_says_another(words: str) -> None:
    line = f"{HEAD} host {words}"
    candidate = candidate_from_sdp(line, id="t1")
    assert candidate is not None
    unknown = candidate_extras(line, candidate)
    assert candidate_with_extras(candidate, unknown) == line
    changed = candidate_with_extras(replace(candidate, generation=9, network=8), unknown)
    assert changed == f"{HEAD} host generation 9" + (" network-id 8" if "network" in words else "")


def test_half_an_address_pair_comes_back_until_the_element_has_a_whole_one() -> None:
    line = f"{HEAD} srflx raddr x.local rport 9"
    candidate = candidate_from_sdp(line, id="t1")
    assert candidate is not None
    unknown = candidate_extras(line, candidate)
    assert candidate_with_extras(candidate, unknown) == line
    other = replace(candidate, related_address="10.0.0.1", related_port=6000)
    assert candidate_with_extras(other, unknown) == f"{HEAD} srflx raddr 10.0.0.1 rport 6000"
