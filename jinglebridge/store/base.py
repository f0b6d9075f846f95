"""What a store can do. Both implementations run the same test class."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from jinglebridge.calls.people import Subscription


class Store(Protocol):
    """Reads happen at start and are complete; writes return at once and are on disk within 200 ms, in order."""

    def subscriptions(self) -> Iterable[tuple[str, str, Subscription]]:
        """All rows: (own bare JID, peer bare JID, subscription)."""

    def save_subscription(self, own: str, peer: str, subscription: Subscription) -> None: ...

    def close(self) -> None:
        """Write what is pending and close. Nothing may be called afterwards."""
