"""The tables of the store: one for each class of `jinglebridge.calls.people` that is kept, its columns being the fields.

Declared once: reading, writing, deleting and the check of the database's columns all come from here; only `store.sqlite.MIGRATIONS`
says it again, since a migration must not change with the code.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, TypeVar, get_type_hints

from jinglebridge.calls.people import Avatar, Block, CallRecord, Contact, Device, Link, Owner, Person, UsedToken

Row = TypeVar("Row")
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """`key`: the fields that make a row the same row."""

    name: str
    kind: type[Any]
    key: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(f.name.rstrip("_") for f in fields(self.kind))

    def key_of(self, row: object) -> Key:
        return tuple(getattr(row, name) for name in self.key)

    @property
    def insert(self) -> str:
        return f"INSERT OR REPLACE INTO {self.name} ({self._names()}) VALUES ({', '.join('?' * len(self.columns))})"

    @property
    def select(self) -> str:
        return f"SELECT {self._names()} FROM {self.name}"

    @property
    def find(self) -> str:
        return self.select + self._where

    @property
    def delete(self) -> str:
        return f"DELETE FROM {self.name}" + self._where

    @property
    def _where(self) -> str:
        return " WHERE " + " AND ".join(f'"{name}" = ?' for name in self.key)

    def _names(self) -> str:
        return ", ".join(f'"{name}"' for name in self.columns)

    def values(self, row: object) -> tuple[object, ...]:
        """A row as SQLite takes it."""
        found = (getattr(row, f.name) for f in fields(self.kind))
        return tuple(json.dumps(value) if isinstance(value, tuple) else value for value in found)

    def read(self, values: tuple[object, ...]) -> Any:
        """The row again."""
        return self.kind(*(convert(value) for convert, value in zip(_converters(self.kind), values, strict=True)))


def _converters(kind: type[Any]) -> list[Callable[[Any], Any]]:
    hints = get_type_hints(kind)
    known: dict[Any, Callable[[Any], Any]] = {bool: bool, float: float, bytes: bytes, tuple[str, ...]: lambda text: tuple(json.loads(text))}
    return [known.get(hints[f.name], str) for f in fields(kind)]


TABLES: dict[type[Any], Table] = {
    table.kind: table
    for table in (
        Table("contact", Contact, ("own", "peer")),
        Table("person", Person, ("own",)),
        Table("avatar", Avatar, ("own",)),
        Table("device", Device, ("id",)),
        Table("link", Link, ("id",)),
        Table("owner", Owner, ("jid",)),
        Table("block", Block, ("owner", "jid")),
        Table("used_token", UsedToken, ("hash",)),
        Table("call", CallRecord, ("own", "call", "at")),
    )
}
