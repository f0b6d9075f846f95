"""The working copy of what is kept about our users: their contacts, whom they block, their names and pictures.

Every table is kept by user first, so that a login or logout costs what that user has, however many others there are.

A name is *known* once somebody was let in under it: then its `Person` is saved, and requests to it are kept even while no page is open.
For any other name that strangers make up, nothing is remembered (J-254).

Spec: RFC 6121 §2, §3; XEP-0191 §3; J-036, J-254.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, TypeVar

from jinglebridge.calls.people import Avatar, Block, Contact, Person

Row = TypeVar("Row")

MAX_ROWS = 10_000  # contacts of one user or service
MAX_ASKING = 50  # undecided requests to one user; more are not heard
MAX_ASKED = 100  # undecided requests of one user to others
MAX_BLOCKS = 1000  # of one user


class RosterStore(Protocol):
    def rows(self, kind: type[Row]) -> list[Row]:
        """All rows of everybody."""

    def save(self, row: object) -> None:
        """Keep one row."""

    def delete(self, row: object) -> None:
        """Forget it."""


class Roster:
    """`on_met(own)` is called when those who see this user, or are seen by them, have changed."""

    def __init__(self, store: RosterStore) -> None:
        self.on_met: Callable[[str], None] = lambda own: None
        self._store = store
        self._rows: dict[str, dict[str, Contact]] = {}
        self._asking: dict[str, set[str]] = {}
        self._blocks: dict[str, set[str]] = {}
        self._persons: dict[str, Person] = {row.own: row for row in store.rows(Person)}
        for row in store.rows(Contact):
            self._keep(row)
        for block in store.rows(Block):
            self._blocks.setdefault(block.owner, set()).add(block.jid)

    # --- contacts

    def of(self, own: str) -> list[Contact]:
        return list(self._rows.get(own, {}).values())

    def row(self, own: str, peer: str) -> Contact:
        return self._rows.get(own, {}).get(peer) or Contact(own, peer)

    def asking(self, own: str) -> int:
        """How many wait for a decision of this user."""
        return len(self._asking.get(own, ()))

    def save(self, row: Contact) -> bool:
        """Keep a row, or forget it when it holds nothing. False: this user has too many already."""
        known = self._rows.get(row.own, {}).get(row.peer)
        before = known or Contact(row.own, row.peer)
        if row == before:
            return True
        if row.empty:
            if known is not None:
                self._drop(row)
                self._store.delete(row)
        elif known is None and len(self._rows.get(row.own, ())) >= MAX_ROWS:
            return False
        else:
            self._keep(row)
            self._store.save(row)
        if (row.to or row.from_) != (before.to or before.from_):
            self.on_met(row.own)
        return True

    def _keep(self, row: Contact) -> None:
        self._rows.setdefault(row.own, {})[row.peer] = row
        if row.asking:
            self._asking.setdefault(row.own, set()).add(row.peer)
        else:
            self._no_more_asking(row)

    def _drop(self, row: Contact) -> None:
        rows = self._rows[row.own]
        del rows[row.peer]
        if not rows:
            del self._rows[row.own]
        self._no_more_asking(row)

    def _no_more_asking(self, row: Contact) -> None:
        asking = self._asking.get(row.own)
        if asking is not None:
            asking.discard(row.peer)
            if not asking:
                del self._asking[row.own]

    def able(self, own: str, peer: str, audio: bool, video: bool) -> None:
        """What a contact can take, for the time when it sleeps."""
        row = self.row(own, peer)
        if row.known:
            self.save(replace(row, audio=audio, video=video))

    def met(self, own: str, peer: str) -> bool:
        """Does one of them see the other?"""
        row = self.row(own, peer)
        return row.to or row.from_

    def called(self, own: str, peer: str) -> str:
        """The name that our user gave them, or ""."""
        return self.row(own, peer).name

    # --- people

    def known(self, own: str) -> bool:
        return own in self._persons or own in self._rows

    def person(self, own: str) -> Person:
        return self._persons.get(own) or Person(own)

    def admitted(self, own: str, name: str) -> None:
        """Somebody was let in under this name."""
        self.save_person(replace(self.person(own), name=name))

    def save_person(self, person: Person) -> None:
        if self._persons.get(person.own) != person:
            self._persons[person.own] = person
            self._store.save(person)

    def picture(self, own: str, type: str, data: bytes) -> None:
        """Keep the picture of a user, or forget it when there is no data."""
        row = Avatar(own, data)
        (self._store.save if data else self._store.delete)(row)
        hash = hashlib.sha1(data).hexdigest() if data else ""
        self.save_person(replace(self.person(own), avatar_type=type if data else "", avatar_hash=hash))

    # --- blocking

    def blocked(self, own: str, peer: str) -> bool:
        """Does `own` want to hear nothing of `peer`? Both bare; the domain of `peer` may be blocked as a whole."""
        blocks = self._blocks.get(own)
        return blocks is not None and (peer in blocks or peer.rpartition("@")[2] in blocks)

    def blocks(self, own: str) -> list[str]:
        return sorted(self._blocks.get(own, ()))

    def block(self, own: str, jid: str) -> bool:
        """`jid`: bare JID or domain. False: this user blocks too many already."""
        blocks = self._blocks.setdefault(own, set())
        if jid not in blocks and len(blocks) >= MAX_BLOCKS:
            return False
        blocks.add(jid)
        self._store.save(Block(own, jid))
        return True

    def unblock(self, own: str, jid: str) -> None:
        blocks = self._blocks.get(own, set())
        blocks.discard(jid)
        if not blocks:
            self._blocks.pop(own, None)
        self._store.delete(Block(own, jid))

    def under(self, own: str, jid: str) -> list[Contact]:
        """The contacts of `own` that have this address, or are in this domain."""
        return [row for row in self.of(own) if jid in (row.peer, row.peer.rpartition("@")[2])]
