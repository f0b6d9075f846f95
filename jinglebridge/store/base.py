"""What a store can do. Both implementations run the same test class."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from jinglebridge.calls.people import CallRecord
from jinglebridge.store.tables import Row


class Store(Protocol):
    """Keeps rows of the classes in `store.tables`. What is needed to serve people is read once, at start; writes return at once, are in
    order, and are on disk within 200 ms. A row that cannot be written is logged and lost; those after it are not."""

    def rows(self, kind: type[Row]) -> list[Row]:
        """All rows of one class. For the start: what was saved since may be missing."""

    def save(self, row: object) -> None:
        """Insert, or replace the row with the same key."""

    def delete(self, row: object) -> None:
        """The row with this one's key, if there is one."""

    async def find(self, kind: type[Row], *key: object) -> Row | None:
        """The row with this key, if there is one; what was saved until now included."""

    async def calls(self, own: str, before: float, limit: int) -> list[CallRecord]:
        """Of the calls of `own` (bare JID) that began before `before` the latest ones, latest first; what was saved until now included."""

    def forget_calls(self, before: float) -> None:
        """Those that began before."""

    async def backup(self, path: Path) -> None:
        """A copy of everything that was saved until now, in a file that can be put in the store's place. Raises OperatorError."""

    def close(self) -> None:
        """Write what is pending and close. Nothing may be called afterwards."""
