"""A store that forgets: for tests and for the library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinglebridge.calls.people import CallRecord
from jinglebridge.errors import OperatorError
from jinglebridge.store.tables import TABLES, Key, Row


class MemoryStore:
    def __init__(self) -> None:
        self._rows: dict[type[Any], dict[Key, Any]] = {kind: {} for kind in TABLES}

    def rows(self, kind: type[Row]) -> list[Row]:
        return list(self._rows[kind].values())

    def save(self, row: object) -> None:
        self._rows[type(row)][TABLES[type(row)].key_of(row)] = row

    def delete(self, row: object) -> None:
        self._rows[type(row)].pop(TABLES[type(row)].key_of(row), None)

    async def find(self, kind: type[Row], *key: object) -> Row | None:
        return self._rows[kind].get(key)

    async def calls(self, own: str, before: float, limit: int) -> list[CallRecord]:
        found = [row for row in self.rows(CallRecord) if row.own == own and row.at < before]
        return sorted(found, key=lambda row: row.at, reverse=True)[:limit]

    def forget_calls(self, before: float) -> None:
        for row in self.rows(CallRecord):
            if row.at < before:
                self.delete(row)

    async def backup(self, path: Path) -> None:
        raise OperatorError("this bridge keeps everything in memory: there is nothing to back up")

    def close(self) -> None:
        pass
