"""Both journals keep calls, in one shared test class; the file survives what happens to files, and the thread what happens to rows."""

from __future__ import annotations

import asyncio
import dataclasses
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from jinglebridge.calls.model import CallState
from jinglebridge.calls.people import SavedSession
from jinglebridge.calls.states import Ringing, Session, Signalling
from jinglebridge.errors import OperatorError
from jinglebridge.store.journal import Journal, MemoryJournal, SqliteJournal
from tests.unit.fakes import logged, until

PAGE = SavedSession("anna@call.test/w-1", "anna", "Anna Ä", ("bob@im.test", "eve@im.test"), ("*",), True, "hash")
KEY = ("anna@call.test", "bob@im.test", "s")
Reopen = Callable[[], Journal]


def call(number: int = 0, **fields: object) -> CallState:
    state = CallState(f"c{number}", f"s{number}", "out", "anna@call.test/w", "bob@im.test/r", "Bob \0 ü", ["audio"], 1.5)
    state.ringing, state.session, state.signalling = Ringing.PROCEEDED, Session.ACTIVE, Signalling.LOCAL_OFFER
    state.unacked = [[1, "session-accept", "a", "b", "<jingle/>"]]
    for name, value in fields.items():
        setattr(state, name, value)
    return state


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(f.stat().st_mode) for f in folder.iterdir()}


def holds(folder: Path, text: bytes) -> bool:
    return any(text in f.read_bytes() for f in folder.iterdir())


class JournalTests:
    """What every journal does. `reopen` closes it and opens it again, where that means anything."""

    @pytest.fixture
    async def reopen(self, tmp_path: Path) -> Iterator[Reopen]:
        raise NotImplementedError

    async def test_a_new_one_is_empty(self, reopen: Reopen):
        assert list(reopen().calls()) == []

    async def test_insert_replace_delete(self, reopen: Reopen):
        journal = reopen()
        journal.write({KEY: call(1), ("a", "b", "c"): call(2)})
        journal.write({KEY: call(3)})
        journal.write({("a", "b", "c"): None, ("no", "such", "row"): None})
        assert list(reopen().calls()) == [call(3)]

    async def test_the_state_is_read_at_once(self, reopen: Reopen):
        journal, state = reopen(), call()
        journal.write({KEY: state})
        state.sent = 99
        assert list(reopen().calls()) == [call()]

    async def test_sessions(self, reopen: Reopen):
        journal = reopen()
        other = SavedSession("zoe@call.test/w-2", "zoe", "", (), (), False, "other")
        for session in (PAGE, dataclasses.replace(PAGE, name="old"), PAGE, other):
            journal.save_session(session)
        assert sorted(reopen().sessions(), key=lambda s: s.jid) == [PAGE, other]
        journal = reopen()
        journal.delete_session(PAGE.jid)
        journal.delete_session("unknown")
        assert list(reopen().sessions()) == [other]

    async def test_done_comes_in_order(self, reopen: Reopen):
        journal, done = reopen(), list[int]()
        for number in range(50):
            journal.write({KEY: call(number)}, lambda n=number: done.append(n))  # type: ignore[misc]
        await until(lambda: len(done) == 50)
        assert done == list(range(50)) and next(iter(reopen().calls())).call == "c49"


class TestMemory(JournalTests):
    @pytest.fixture
    async def reopen(self) -> Iterator[Reopen]:
        journal = MemoryJournal()
        yield lambda: journal
        journal.close()


class TestSqlite(JournalTests):
    @pytest.fixture
    async def reopen(self, tmp_path: Path) -> Iterator[Reopen]:
        opened: list[SqliteJournal] = []

        def reopen() -> Journal:
            if opened:
                opened.pop().close()
            opened.append(SqliteJournal(tmp_path / "journal.db"))
            return opened[-1]

        yield reopen
        for journal in opened:
            journal.close()

    async def test_done_comes_after_the_row_is_there(self, reopen: Reopen, tmp_path: Path):
        journal, seen = reopen(), list[int]()

        def look() -> None:
            with closing(sqlite3.connect(tmp_path / "journal.db")) as database:
                seen.append(database.execute("SELECT count(*) FROM call").fetchone()[0])

        journal.write({KEY: call()}, look)
        await until(lambda: seen)
        assert seen == [1]

    async def test_what_a_turn_of_the_loop_changes_is_one_commit(self, reopen: Reopen, tmp_path: Path):
        journal, order = reopen(), list[int]()
        handed: list[int] = []
        queue = journal._queue

        class Queue:
            def put(self, items: Any) -> None:
                handed.append(len(items))
                queue.put(items)

        journal._queue = Queue()
        for number in range(3):
            journal.write({(*KEY[:2], f"s{number}"): call()}, lambda number=number: order.append(number))
        assert handed == [], "the turn is not over"
        await asyncio.sleep(0)
        journal._queue = queue
        await until(lambda: len(order) == 3)
        assert handed == [3] and order == [0, 1, 2]

    async def test_only_the_owner_may_read_it_and_passwords_do_not_stay(self, reopen: Reopen, tmp_path: Path):
        journal = reopen()
        done: list[int] = []
        journal.write({KEY: call(own_sdp="a=ice-pwd:very-secret-password")}, lambda: done.append(1))
        await until(lambda: done)
        assert modes(tmp_path) == {0o600} and holds(tmp_path, b"very-secret-password")
        journal.write({KEY: None})
        reopen()
        assert not holds(tmp_path, b"very-secret-password")

    async def test_what_cannot_be_written_does_not_stop_calls(self, reopen: Reopen, tmp_path: Path):
        journal, done = reopen(), list[int]()
        with closing(sqlite3.connect(tmp_path / "journal.db")) as database:
            database.execute("DROP TABLE call")
        with logged() as lines:
            journal.write({KEY: call()}, lambda: done.append(1))
            await until(lambda: done)
        assert [line["event"] for line in lines] == ["journal-write-failed"]

    async def test_a_row_of_another_version_is_dropped(self, reopen: Reopen, tmp_path: Path):
        reopen().write({KEY: call()})
        reopen()
        rows = [
            ("a", "b", "1", '{"call": "x"}'),
            ("a", "b", "2", "no json"),
            ("a", "b", "3", call().to_json().replace('"call":', '"cull":')),
            ("a", "b", "4", call().to_json().replace('"descriptions":[]', '"descriptions":[{"own":"<jingle/>","peer":null}]')),
            ("a", "b", "5", call().to_json().replace('"descriptions":', '"side":')),
            ("a", "b", "6", call().to_json().replace('"format":1', '"format":0')),
        ]
        with closing(sqlite3.connect(tmp_path / "journal.db")) as database, database:
            database.executemany("INSERT INTO call VALUES (?,?,?,?)", rows)
        with logged() as lines:
            assert list(reopen().calls()) == [call()]
        assert [line["event"] for line in lines] == ["journal-row-unreadable"] * 6
        assert list(reopen().calls()) == [call()]

    async def test_a_session_of_another_version_is_dropped(self, reopen: Reopen, tmp_path: Path):
        """It must not keep the bridge from starting."""
        reopen()
        rows = [("a@b/1", '{"color": "red"}'), ("a@b/2", "no json"), ("a@b/3", "[]")]
        with closing(sqlite3.connect(tmp_path / "journal.db")) as database, database:
            database.executemany("INSERT INTO session VALUES (?,?)", rows)
        with logged() as lines:
            assert list(reopen().sessions()) == []
        assert [line["event"] for line in lines] == ["journal-row-unreadable"] * 3
        with logged() as lines:
            assert list(reopen().sessions()) == [] and lines == []

    async def test_its_log_is_copied_now_and_then(self, reopen: Reopen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        """SQLite does not do it by itself here: that would keep one call's effects waiting for the disk."""
        monkeypatch.setattr("jinglebridge.store.journal.LOG", 1024 * 1024)
        journal = reopen()
        for number in range(200):
            kept: list[int] = []
            journal.write({KEY: call(number, peer_xml="x" * 50_000)}, lambda number=number, kept=kept: kept.append(number))
            await until(lambda kept=kept: bool(kept))
        log = (tmp_path / "journal.db-wal").stat().st_size
        assert log < 5 * 1024 * 1024, "10 MB and more were written"
        assert [state.call for state in reopen().calls()] == ["c199"]

    async def test_garbage_is_set_aside(self, reopen: Reopen, tmp_path: Path):
        (tmp_path / "journal.db").write_bytes(b"not a database " * 100)
        with logged() as lines:
            journal = reopen()
        assert [line["event"] for line in lines] == ["journal-unreadable"]
        journal.write({KEY: call()})
        assert list(reopen().calls()) == [call()] and (tmp_path / "journal.broken").exists()


async def test_a_place_that_cannot_be_used_is_one_clear_line(tmp_path: Path):
    with pytest.raises(OperatorError, match="the journal of calls cannot be opened"):
        SqliteJournal(tmp_path / "none" / "journal.db")


def test_a_loop_that_is_closed_hears_nothing(tmp_path: Path):
    async def start() -> SqliteJournal:
        return SqliteJournal(tmp_path / "journal.db")

    journal = asyncio.run(start())
    journal.write({KEY: call()}, lambda: pytest.fail("nobody is there"))
    journal.close()
