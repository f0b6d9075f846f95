"""A store that forgets: for tests and for the library."""

from __future__ import annotations

from collections.abc import Iterable

from jinglebridge.calls.people import Subscription


class MemoryStore:
    def __init__(self) -> None:
        self._subscriptions: dict[tuple[str, str], Subscription] = {}

    def subscriptions(self) -> Iterable[tuple[str, str, Subscription]]:
        return [(own, peer, row) for (own, peer), row in self._subscriptions.items()]

    def save_subscription(self, own: str, peer: str, subscription: Subscription) -> None:
        self._subscriptions[own, peer] = subscription

    def close(self) -> None:
        pass
