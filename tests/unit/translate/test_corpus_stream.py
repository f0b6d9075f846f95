"""All 402 recorded negotiations as calls, message by message: what each endpoint gets through the stanzas of a Jingle session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from jinglebridge.sdp import parse
from jinglebridge.translate.stream import StreamTranslator
from tests.unit.corpus import Round, rounds
from tests.unit.expected import differences, kept

pytestmark = pytest.mark.no_cover  # see pyproject.toml


def messages(turn: Round) -> Iterator[dict[str, Any]]:
    """One round: the offer, its answer, and what each side trickles."""
    a2b = turn.by == "initiator"
    for kind, forth, sdp, candidates in (
        ("offer", a2b, turn.offer, turn.offer_candidates),
        ("answer", not a2b, turn.answer, turn.answer_candidates),
    ):
        common = {"id": 1, "call": turn.case, "dir": "a2b" if forth else "b2a"}
        yield common | {"kind": kind, "sdp": sdp}
        for init in candidates:
            yield common | {"kind": "candidate", "candidate": init}


@pytest.mark.parametrize("extensions", [False, True])
def test_every_message_of_every_call_is_translated(extensions):
    stream = StreamTranslator(extensions=extensions)
    seen: Counter[str] = Counter()
    for turn in rounds():
        for message in messages(turn):
            reply = stream.handle(message)
            assert "error" not in reply, (str(turn), reply)
            candidate = message.get("candidate")
            if candidate is None:
                seen["descriptions"] += 1
            elif candidate["candidate"]:
                # The only ones that nobody gets are of component 2.
                assert (reply["candidate"] is None) == (candidate["candidate"].split()[1] == "2"), str(turn)
                seen["candidates"] += reply["candidate"] is not None
                if extensions and reply["candidate"] is not None:
                    assert reply["candidate"]["candidate"] == candidate["candidate"], str(turn)
    assert seen["descriptions"] == 804 and seen["candidates"] > 2000


# What a later round does not repeat as it was: candidates have the spelling in which they came one by one, and all that ever came are
# there; the DTLS role is the one that was taken first (J-184), while Firefox names another one in a bundled section.
LATER = ("a=candidate:", "a=end-of-candidates")
LATER_ANSWER = (*LATER, "a=setup:")


def told(lines: list[str], but: tuple[str, ...]) -> list[str]:
    """Lines to compare."""
    return [line for line in kept(lines) if not line.startswith(but)]


def addresses(lines: list[str]) -> set[str]:
    return {" ".join(line.lower().split()[:8]) for line in lines if line.startswith("a=candidate:") and line.split()[1] == "1"}


def test_with_extensions_each_endpoint_gets_every_line():
    """Also of a later offer, of which only what changed travels."""
    stream = StreamTranslator(extensions=True)
    problems = []
    for turn in rounds():
        for message in messages(turn):
            reply = stream.handle(message)
            if "sdp" not in message:
                continue
            said, got = parse(message["sdp"]), parse(reply["sdp"])
            but = () if turn.number == 0 else LATER_ANSWER if message["kind"] == "answer" else LATER
            found = differences(told(said.lines, but), told(got.lines, but))
            for one, two in zip(said.media, got.media, strict=True):
                found += differences(told(one.lines, but), told(two.lines, but))
                found += [f"candidate lost: {line}" for line in addresses(one.lines) - addresses(two.lines)]
            problems += [f"{turn}, {message['kind']}: {what}" for what in found]
    assert not problems, f"{len(problems)} differences:\n" + "\n".join(islice(problems, 20))
