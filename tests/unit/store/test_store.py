"""Both stores keep what they are told, in one shared test class; the file has migrations and one owner."""

from __future__ import annotations

import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jinglebridge.calls.people import Subscription
from jinglebridge.errors import OperatorError
from jinglebridge.store import sqlite as module
from jinglebridge.store.base import Store
from jinglebridge.store.memory import MemoryStore
from jinglebridge.store.sqlite import SqliteStore
from tests.unit.fakes import logged

ANNA, BOB = "anna@call.test", "bob@im.test"
ROW = (ANNA, BOB, Subscription(to=True))
Reopen = Callable[[], Store]


class StoreTests:
    """What every store does. `reopen` closes it and opens it again, where that means anything."""

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Iterator[Reopen]:
        raise NotImplementedError

    def test_a_new_store_is_empty(self, reopen: Reopen):
        store = reopen()
        assert list(store.subscriptions()) == []

    def test_subscriptions(self, reopen: Reopen):
        store = reopen()
        rows = {
            (ANNA, BOB): Subscription(to=True, asking=True),
            (ANNA, "eve@im.test"): Subscription(from_=True, wanted=True),
            ("zoe@call.test", BOB): Subscription(asked=True),
        }
        for (own, peer), row in rows.items():
            store.save_subscription(own, peer, Subscription(to=True, from_=True))
            store.save_subscription(own, peer, row)
        assert {(own, peer): row for own, peer, row in reopen().subscriptions()} == rows


class TestMemory(StoreTests):
    @pytest.fixture
    def reopen(self) -> Iterator[Reopen]:
        store = MemoryStore()
        yield lambda: store
        store.close()


class TestSqlite(StoreTests):
    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Iterator[Reopen]:
        opened: list[SqliteStore] = []

        def reopen() -> Store:
            if opened:
                opened.pop().close()
            opened.append(SqliteStore(tmp_path / "s.db"))
            return opened[-1]

        yield reopen
        for store in opened:
            store.close()

    def test_only_the_owner_may_read_it(self, reopen: Reopen, tmp_path: Path):
        reopen().save_subscription(*ROW)
        reopen()
        assert {stat.S_IMODE(f.stat().st_mode) for f in tmp_path.iterdir()} == {0o600}

    def test_many_writes_are_in_order_and_all_there_after_close(self, reopen: Reopen):
        store = reopen()
        for number in range(2000):
            store.save_subscription(ANNA, f"p{number % 50}@x", Subscription(to=number >= 1950))
        assert [row for _, _, row in reopen().subscriptions()] == [Subscription(to=True)] * 50

    def test_a_row_that_cannot_be_written_does_not_end_the_writer(self, reopen: Reopen):
        store = reopen()
        with logged() as lines:
            store.save_subscription("\ud800", BOB, Subscription())
            reopen()
        assert [line["event"] for line in lines] == ["store-write-failed"]
        store = reopen()
        store.save_subscription("\ud800", BOB, Subscription())
        while not store._writes.empty():  # type: ignore[attr-defined]
            time.sleep(0.001)
        store.save_subscription(*ROW)
        assert list(reopen().subscriptions()) == [ROW]


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def test_migrations_run_once_each_and_keep_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "s.db"
    store = SqliteStore(path)
    store.save_subscription(*ROW)
    store.close()
    assert version(path) == len(module.MIGRATIONS)
    steps = ("CREATE TABLE extra (x INTEGER);", "INSERT INTO extra VALUES (7);")
    monkeypatch.setattr(module, "MIGRATIONS", (*module.MIGRATIONS, *steps))
    for _ in range(2):
        store = SqliteStore(path)
        assert list(store.subscriptions()) == [ROW] and store._read("SELECT x FROM extra") == [(7,)]
        store.close()
    assert version(path) == len(module.MIGRATIONS)


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "s.db"
    SqliteStore(path).close()
    before = version(path)
    monkeypatch.setattr(module, "MIGRATIONS", (*module.MIGRATIONS, "CREATE TABLE half (x INTEGER); NONSENSE;"))
    with pytest.raises(OperatorError, match="cannot be opened"):
        SqliteStore(path)
    with closing(sqlite3.connect(path)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE name = 'half'")]
    assert version(path) == before and names == []


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path):
    path = tmp_path / "s.db"
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version=999")
    with pytest.raises(OperatorError, match="newer jinglebridge: use that one"):
        SqliteStore(path)


@pytest.mark.parametrize("kind", ["folder", "garbage", "missing"])
def test_what_is_no_store_is_one_clear_line(tmp_path: Path, kind: str):
    path = tmp_path / "s.db"
    if kind == "folder":
        path.mkdir()
    elif kind == "garbage":
        path.write_bytes(b"not a database " * 100)
    else:
        path = tmp_path / "none" / "s.db"
    with pytest.raises(OperatorError, match="the store cannot be opened") as caught:
        SqliteStore(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
