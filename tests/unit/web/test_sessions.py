"""What outlives a socket: numbered events, replay, secrets good once, answers that are repeated. DESIGN §3 (Resume)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jinglebridge.web import messages as m
from jinglebridge.web import sessions as module
from jinglebridge.web.sessions import Session, Sessions, hashed
from jinglebridge.web.tokens import Identity

ANNA = Identity("anna", "Anna")


class FakeWire:
    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, frame: bytes) -> None:
        self.sent.append(json.loads(frame))

    def close(self, code: int, reason: str) -> None:
        raise AssertionError


@pytest.fixture
def all_sessions() -> Sessions:
    return Sessions("call.test")


@pytest.fixture
def session(all_sessions: Sessions) -> Session:
    made = all_sessions.create(ANNA, "Anna", True)
    made.wire = FakeWire()
    return made


def say(session: Session, count: int, text: str = "") -> None:
    for number in range(count):
        session.event(m.Ended(call=str(number), reason="ended", text=text))


def numbers(frames: list[bytes]) -> list[int]:
    return [json.loads(f)["seq"] for f in frames]


def test_addresses_are_random_and_full(all_sessions: Sessions):
    made = {all_sessions.create(ANNA, "Anna", True).jid for _ in range(50)}
    assert len(made) == 50 and all(j.startswith("anna@call.test/w-") and len(j) > 25 for j in made)
    assert {s.jid for s in all_sessions.of("anna@call.test")} == made and all_sessions.of("other@call.test") == []


def test_events_are_numbered_and_sent(session: Session):
    say(session, 3)
    assert [f["seq"] for f in session.wire.sent] == [1, 2, 3]  # type: ignore[union-attr]


def test_what_was_missed_is_replayed_exactly_once(session: Session):
    say(session, 2)
    session.wire = None
    say(session, 3)
    assert session.can_replay(2) and numbers(session.replay(2)) == [3, 4, 5]
    assert session.can_replay(5) and session.replay(5) == []
    assert not session.can_replay(6), "a number that was never given"


def test_confirmed_events_are_forgotten(session: Session):
    say(session, 5)
    session.confirm(3)
    session.confirm(2)
    assert session.can_replay(3) and not session.can_replay(2) and numbers(session.replay(3)) == [4, 5]
    session.confirm(99)
    assert session.can_replay(5) and session.replay(0) == []


def test_the_buffer_is_bounded_in_number_and_bytes(session: Session):
    say(session, module.MAX_EVENTS + 10)
    assert not session.can_replay(9) and session.can_replay(10) and len(session.replay(10)) == module.MAX_EVENTS
    say(session, 300, "x" * 1024)
    assert session._size <= module.MAX_BUFFER < session._size + 1100 and not session.can_replay(session.seq - 256)
    say(session, 1, "x" * (module.MAX_BUFFER + 1))
    assert session.replay(0) == [] and session.can_replay(session.seq), "too big to keep at all"


def test_after_a_snapshot_the_old_events_are_gone(session: Session):
    say(session, 5)
    session.forget_events()
    assert not session.can_replay(4) and session.can_replay(5)
    say(session, 1)
    assert numbers(session.replay(5)) == [6]


def test_an_answer_is_repeated_for_the_same_request(session: Session):
    session.reply("a", m.Ack(id="a"))
    session.reply("b", m.Error(id="b", code="forbidden", message="no"))
    wire = session.wire = FakeWire()
    assert session.repeat("a") and session.repeat("b") and session.repeat("a") and not session.repeat("c")
    assert [(f["type"], f["id"]) for f in wire.sent] == [("ack", "a"), ("error", "b"), ("ack", "a")]
    session.wire = None
    session.reply("d", m.Ack(id="d"))
    assert session.repeat("d") and len(wire.sent) == 3


def test_remembered_answers_are_bounded(session: Session):
    for number in range(module.MAX_REPLIES + 1):
        session.reply(str(number), m.Ack(id=str(number)))
    assert not session.repeat("0") and session.repeat("1")


def test_a_secret_is_good_once_and_kept_as_a_hash(all_sessions: Sessions, session: Session):
    saved: list[str] = []
    all_sessions.on_secret = lambda s: saved.append(s.secret_hash)
    first = all_sessions.next_secret(session)
    assert all_sessions.find(first) is session and saved == [hashed(first)] and first not in repr(session)
    second = all_sessions.next_secret(session)
    assert all_sessions.find(first) is session, "the welcome with the second may be lost"
    third = all_sessions.next_secret(session)
    assert all_sessions.find(second) is None, "never used"
    assert all_sessions.find(first) is session is all_sessions.find(third)
    all_sessions.settle(session)
    assert all_sessions.find(first) is None and all_sessions.find(third) is session
    assert len(first) >= 22, "at least 128 bits in base64"
    assert all_sessions.find("") is None and all_sessions.find(session.secret_hash) is None


def test_a_removed_session_cannot_come_back(all_sessions: Sessions, session: Session):
    secret = all_sessions.next_secret(session)
    other = all_sessions.create(ANNA, "Anna", True)
    all_sessions.remove(session)
    all_sessions.remove(session)
    assert all_sessions.find(secret) is None and list(all_sessions.by_jid) == [other.jid]
    assert all_sessions.of("anna@call.test") == [other]
    all_sessions.remove(other)
    assert all_sessions.of("anna@call.test") == [] and all_sessions._by_bare == {}


def test_a_session_of_an_earlier_life_is_found_by_its_hash(all_sessions: Sessions):
    old = Session("anna@call.test/w-old", ANNA, "Anna", secret_hash=hashed("s"))
    assert all_sessions.restore(old) is old and all_sessions.find("s") is old
    nameless = all_sessions.restore(Session("anna@call.test/w-none", ANNA, "Anna"))
    assert all_sessions.find("") is None and nameless.bare == "anna@call.test"
