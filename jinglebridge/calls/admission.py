"""Who may call whom, and how often. Pure: the lists and the time come in.

To a stranger offline, busy, blocked and unknown look alike: a refused propose is ignored, a refused session-initiate gets
service-unavailable (J-043, J-071, J-252).

Spec: DESIGN §2 (default policy), §5 (attempts); J-245.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Literal

from jinglebridge.calls.model import Endpoint, Limits, bare
from jinglebridge.errors import EndpointError, ResourceConstraint

MINUTE = 60.0


def domain_of(jid: str) -> str:
    return bare(jid).rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's rules. `own` is the bridge's component domain, `servers` whose users may call web users, `outgoing` whom web users
    may call beside their contacts, `blocked` domains and bare JIDs that are kept out altogether."""

    own: str
    servers: frozenset[str] = frozenset()
    everyone: bool = False  # any server may call in
    outgoing: Literal["contacts", "servers", "everyone"] = "contacts"
    blocked: frozenset[str] = frozenset()

    def blocks(self, jid: str) -> bool:
        """Is this address, or its whole domain, kept out?"""
        return bool(self.blocked) and (bare(jid) in self.blocked or domain_of(jid) in self.blocked)

    def peer_may_call(self, peer: str, contacts: frozenset[str]) -> bool:
        """May this peer ring a web user who has these contacts?"""
        if self.blocks(peer):
            return False
        domain = domain_of(peer)
        # A web user of the bridge was checked as a caller already.
        return self.everyone or domain == self.own or domain in self.servers or bare(peer) in contacts

    def endpoint_may_call(self, endpoint: Endpoint, to: str) -> bool:
        """May this web user ring that address? Services of the bridge itself (echo) always."""
        if self.blocks(to):
            return False
        if endpoint.anyone or bare(to) in endpoint.contacts or to == f"echo@{self.own}":
            return True
        return self.outgoing == "everyone" or (self.outgoing == "servers" and domain_of(to) in self.servers | {self.own})


@dataclass(slots=True)
class Window:
    """Counts what happened within the last `seconds`, per name; forgets names that fell silent, and the oldest when there are too many."""

    limit: int
    seconds: float = MINUTE
    names: int = 100_000
    seen: dict[str, list[float]] = field(default_factory=dict)  # at most `limit` times each, in order; an empty deque has 600 bytes

    def admit(self, name: str, now: float) -> bool:
        if self.full(name, now):
            return False
        self.note(name, now)
        return True

    def full(self, name: str, now: float) -> bool:
        """Has it happened as often as it may?"""
        times = self.seen.get(name, ())
        return not self.limit or (len(times) >= self.limit and times[-self.limit] > now - self.seconds)

    def note(self, name: str, now: float) -> None:
        """It happened."""
        times = self.seen[name] = self.seen.pop(name, [])
        del times[: bisect_right(times, now - self.seconds)]
        times.append(now)
        del times[: -max(1, self.limit)]
        if len(self.seen) > self.names:
            del self.seen[next(iter(self.seen))]

    def forget(self, now: float) -> None:
        for name in [n for n, times in self.seen.items() if not times or times[-1] <= now - self.seconds]:
            del self.seen[name]


class Admission:
    """Policy and rates together."""

    def __init__(self, policy: Policy, limits: Limits) -> None:
        self.policy = policy
        self.limits = limits
        self._callers = Window(limits.attempts_per_caller)
        self._domains = Window(limits.attempts_per_domain)

    def outgoing(self, endpoint: Endpoint, to: str, calls: int, now: float) -> None:
        """Raises EndpointError: forbidden or rate-limited. `calls`: how many the person has already."""
        if to == bare(endpoint.jid):
            raise EndpointError("forbidden", "this is your own address")
        if not self.policy.endpoint_may_call(endpoint, to):
            raise EndpointError("forbidden", "this address is not among your contacts")
        if calls >= self.limits.calls_per_identity:
            raise EndpointError("rate-limited", f"no more than {self.limits.calls_per_identity} calls at once")
        if not self._callers.admit(bare(endpoint.jid), now):
            raise EndpointError("rate-limited", f"no more than {self.limits.attempts_per_caller} calls a minute")

    def incoming(self, peer: str, contacts: frozenset[str], ringing: int, now: float) -> bool:
        """May this peer ring now? False means silence. Raises ResourceConstraint above the limits. J-105."""
        if not self.policy.peer_may_call(peer, contacts):
            return False
        if ringing >= self.limits.ringing_per_callee:
            raise ResourceConstraint("too many calls are ringing")
        domain = domain_of(peer)
        if domain == self.policy.own:
            return True  # a web user of the bridge: counted as a caller already
        if not self._callers.admit(bare(peer), now) or (domain not in self.policy.servers and not self._domains.admit(domain, now)):
            raise ResourceConstraint("too many calls a minute")
        return True

    def sweep(self, now: float) -> None:
        self._callers.forget(now)
        self._domains.forget(now)
