"""A bounded memory of small things that are the same in every call, such as `<rtcp-fb type="nack"/>`.

What belongs to one call (credentials, fingerprints, candidates, sources) must never be put in: a table says `keep=True` for what may.
A sender of ever new things gains nothing: nothing long is kept, and when the memory is full all of it is forgotten.
"""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

MAX_KEPT = 512  # things in one memory
MAX_LENGTH = 800  # characters of one thing


class Kept(dict[K, V]):
    """A dict that never holds more than MAX_KEPT things; read with `get`, written with `keep`."""

    def keep(self, key: K, value: V, length: int) -> V:
        """Remember `value` unless it is longer than MAX_LENGTH, and give it back."""
        if length <= MAX_LENGTH:
            if len(self) >= MAX_KEPT:
                self.clear()
            self[key] = value
        return value
