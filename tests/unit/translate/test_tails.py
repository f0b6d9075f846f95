"""What follows the type of a candidate."""

from __future__ import annotations

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
        (CandidateTail("t1", "generation=7"), ""),  # <candidate/> says it
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
