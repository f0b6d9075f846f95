"""What IM users told the gateway about calls to them: whether guests ring, and who never does.

Spec: issue "People", items 3 and 4; DESIGN §5 (no difference visible between offline, busy and blocked).
"""

from __future__ import annotations

from collections.abc import Callable

from jinglebridge.calls.people import Block, Owner
from jinglebridge.store.base import Store

MAX_BLOCKS = 200  # of one person


class Owners:
    """`blocked` is called with (owner, address) when something new is blocked."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._dnd = {row.jid for row in store.rows(Owner) if row.dnd}
        self._blocks: dict[str, dict[str, None]] = {}
        self.blocked: Callable[[str, str], object] = lambda owner, jid: None
        for row in store.rows(Block):
            self._blocks.setdefault(row.owner, {})[row.jid] = None

    def dnd(self, owner: str) -> bool:
        return owner in self._dnd

    def set_dnd(self, owner: str, on: bool) -> None:
        if on:
            self._dnd.add(owner)
            self._store.save(Owner(owner, True))
        else:
            self._dnd.discard(owner)
            self._store.delete(Owner(owner))

    def blocks(self, owner: str) -> list[str]:
        return list(self._blocks.get(owner, ()))

    def block(self, owner: str, jid: str) -> None:
        """`jid`: bare, prepared. Raises ValueError, in words for the person."""
        blocks = self._blocks.setdefault(owner, {})
        if len(blocks) >= MAX_BLOCKS:
            raise ValueError(f"You have blocked {MAX_BLOCKS} addresses already: unblock one first.")
        blocks[jid] = None
        self._store.save(Block(owner, jid))
        self.blocked(owner, jid)

    def unblock(self, owner: str, jid: str) -> bool:
        """False: it was not blocked."""
        blocks = self._blocks.get(owner, {})
        if jid not in blocks:
            return False
        del blocks[jid]
        if not blocks:
            del self._blocks[owner]
        self._store.delete(Block(owner, jid))
        return True

    def has_blocked(self, owner: str, jid: str) -> bool:
        return jid in self._blocks.get(owner, ())
