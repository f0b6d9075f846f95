"""Guest links: who made them, how long they are good for, and whom they let in.

The code in the address is 192 random bits and is kept only as its SHA-256, by which it is found: how long that takes tells nothing of
other codes, and who steals the store cannot open a link. What is unknown, taken back or never was looks the same.

Spec: DESIGN §2 (c), §5; issue "People", item 4.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from jinglebridge.calls.admission import Window, domain_of
from jinglebridge.calls.people import Link
from jinglebridge.config import Policy
from jinglebridge.errors import EndpointError
from jinglebridge.store.base import Store
from jinglebridge.web.guest_pages import LinkRefused, LinkView
from jinglebridge.web.places import network_of
from jinglebridge.web.tokens import Identity
from jinglebridge.xmpp.stanza import bare_jid

log = structlog.get_logger()

DAY = 86400.0
DEFAULT_DAYS = 7
MAX_NAME = 64  # characters of a guest's name
MAX_LABEL = 64
MAX_SLUG = 20
MAX_DAYS = 36_500  # also where there is no other limit: calendars end in the year 9999
GUESSES = 20  # wrong codes a minute from one address
VISITS = 30  # guests let in by one link a minute
CALLS = 6  # calls by one link a minute


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants of a new link. `days` 0: without end."""

    label: str = ""
    days: int = DEFAULT_DAYS
    once: bool = False
    video: bool = True
    presence: bool = False


class Links:
    """All links. Set by the bridge: `has_turn`; `availability` (of an owner's bare JID); `revoked`, called with a link's way in; `shows`,
    called with the owner of a new link that tells whether they are available."""

    def __init__(self, store: Store, policy: Policy, servers: frozenset[str], public_url: str, clock: Callable[[], float]) -> None:
        self._store = store
        self._policy = policy
        self._servers = servers
        self._url = public_url
        self._clock = clock
        self._by_id: dict[str, Link] = {}
        self._by_hash: dict[str, str] = {}
        self._of: dict[str, dict[str, None]] = {}  # owner -> ids, in the order in which they were made
        self._guesses = Window(GUESSES)
        self._visits = Window(VISITS)
        self._calls = Window(CALLS)
        self.has_turn: Callable[[], bool] = lambda: False
        self.availability: Callable[[str], str] = lambda owner: "unknown"
        self.revoked: Callable[[str], object] = lambda way: None
        self.shows: Callable[[str], object] = lambda owner: None
        for link in sorted(store.rows(Link), key=lambda row: row.created):
            self._keep(link)

    # --- for those who make them

    def serves(self, jid: str) -> bool:
        """May this address (bare) make links and use the other commands? Those whose servers the bridge is for."""
        return "@" in jid and (self._policy.everyone or domain_of(jid) in self._servers)

    @property
    def most_days(self) -> int:
        """0: no limit."""
        return self._policy.link_days

    @property
    def usual_days(self) -> int:
        """Where nothing is said."""
        return min(DEFAULT_DAYS, self.most_days or DEFAULT_DAYS)

    @property
    def usable(self) -> bool:
        """Can guests call at all? Without TURN their address would be shown, so the operator must have allowed that."""
        return self.has_turn() or self._policy.guests_without_turn

    @property
    def relay_only(self) -> bool:
        return self._policy.guests_relay_only and self.has_turn()

    def make(self, owner: str, wish: Wish) -> tuple[Link, str]:
        """A new link and its address. `owner`: bare JID. Raises ValueError, in words for the person."""
        if not self._policy.links_per_person:
            raise ValueError("Guest links are not offered here.")
        if not self.usable:
            raise ValueError("Guest links need a TURN server, and this service has none. Its operator can mend that.")
        if len(self._of.get(owner, ())) >= self._policy.links_per_person:
            raise ValueError(f"You have {self._policy.links_per_person} links already: take one back first (links, revoke).")
        if wish.days < 0 or (self.most_days and not 1 <= wish.days <= self.most_days):
            raise ValueError(f"A link is good for 1 to {self.most_days} days." if self.most_days else "Days cannot be negative.")
        if wish.days > MAX_DAYS:
            raise ValueError(f"A link is good for at most {MAX_DAYS} days; 0 days is for ever.")
        now = self._clock()
        code, id = secrets.token_urlsafe(24), secrets.token_hex(4)
        while id in self._by_id:
            id = secrets.token_hex(4)
        expires = now + wish.days * DAY if wish.days else 0.0
        label = cleaned(wish.label, MAX_LABEL)
        link = Link(id, _hash(code), owner, label, now, expires, wish.once, wish.video, wish.presence)
        self._keep(link)
        self._store.save(link)
        log.info("link-made", link=id, owner=owner, days=wish.days, once=wish.once)
        if link.shows_presence:
            self.shows(owner)
        return link, f"{self._url}/c/{code}"

    def of(self, owner: str | None = None) -> list[Link]:
        """Those of one person, or all, oldest first."""
        return [self._by_id[id] for id in (self._by_id if owner is None else self._of.get(owner, ()))]

    def revoke(self, link: Link) -> None:
        """Take it back: its guests are sent away, calls and all."""
        self._by_id.pop(link.id, None)
        self._by_hash.pop(link.hash, None)
        self._of.get(link.owner, {}).pop(link.id, None)
        if not self._of.get(link.owner):
            self._of.pop(link.owner, None)
        self._store.delete(link)
        log.info("link-revoked", link=link.id)
        self.revoked(f"link:{link.id}")

    def problem(self, link: Link) -> str:
        """Why it lets nobody call any more: expired, spent or ""."""
        return "expired" if link.expires and link.expires <= self._clock() else "spent" if link.spent else ""

    def spend(self, way: str) -> bool:
        """A call by this way in was accepted. False: by a single-use link that had been spent before."""
        link = self.by_way(way)
        if link is None or not link.single_use:
            return True
        if link.spent:
            return False
        link = replace(link, spent=self._clock())
        self._keep(link)
        self._store.save(link)
        return True

    def by_way(self, way: str) -> Link | None:
        return self._by_id.get(way.removeprefix("link:"))

    def sweep(self) -> None:
        """Those that ended a month ago are in nobody's list any more."""
        now = self._clock()
        for window in (self._guesses, self._visits, self._calls):
            window.forget(now)
        for link in self.of():
            if (link.expires and link.expires < now - 30 * DAY) or (link.spent and link.spent < now - 30 * DAY):
                self.revoke(link)

    # --- for those who use them

    def look(self, code: str, address: str) -> LinkView:
        """What the page of a link may show. Raises LinkRefused."""
        link = self._found(code, address)
        if not self.usable:
            raise LinkRefused("unusable")
        presence = self.availability(link.owner) if link.shows_presence else "unknown"
        return LinkView(name=name_of(link.owner), label=link.label, video=link.video, presence=presence)

    def admit(self, code: str, name: str | None, address: str) -> Identity:
        """The guest who brings this code. Raises EndpointError: not-authorized, token-expired, rate-limited, forbidden, bad-frame."""
        try:
            link = self._found(code, address)
        except LinkRefused as refused:
            raise EndpointError(*REFUSALS[refused.why]) from None
        if not self.usable:
            raise EndpointError(*REFUSALS["unusable"])
        given = cleaned(name or "", MAX_NAME)
        if not any(map(str.isalnum, given)):
            raise EndpointError("bad-frame", "a guest needs a name")
        if not self._visits.admit(link.id, self._clock()):
            raise EndpointError("rate-limited", "many guests came by this link just now; try again in a minute")
        shown = f"{given} (link: {link.label})" if link.label else given
        user = f"guest-{slug(given)}{secrets.token_hex(5)}"
        return Identity(user, shown, (), (link.owner,), True, f"link:{link.id}", self.relay_only)

    def placing(self, way: str) -> None:
        """A call by this way in begins. Raises EndpointError."""
        link = self.by_way(way)
        if link is None:
            raise EndpointError(*REFUSALS["unknown"])
        if self.problem(link):
            raise EndpointError(*REFUSALS[self.problem(link)])
        if not self.usable:
            raise EndpointError(*REFUSALS["unusable"])
        if not self._calls.admit(link.id, self._clock()):
            raise EndpointError("rate-limited", "many calls came by this link just now; try again in a minute")

    def _found(self, code: str, address: str) -> Link:
        """Raises LinkRefused: busy, unknown, expired, spent."""
        where, now = network_of(address), self._clock()
        if self._guesses.full(where, now):
            raise LinkRefused("busy")  # for right codes, too: whoever guesses must not see which one was right
        link = self._by_id.get(self._by_hash.get(_hash(code), ""))
        if link is None:
            self._guesses.note(where, now)
            raise LinkRefused("unknown")
        if self.problem(link):
            raise LinkRefused(self.problem(link))
        return link

    def _keep(self, link: Link) -> None:
        self._by_id[link.id] = link
        self._by_hash[link.hash] = link.id
        self._of.setdefault(link.owner, {})[link.id] = None


REFUSALS: dict[str, tuple[str, str]] = {
    "unknown": ("not-authorized", "this link is not valid, or not any more"),
    "expired": ("token-expired", "this link has expired"),
    "spent": ("token-expired", "this link was good for one call, which was made"),
    "busy": ("rate-limited", "too many wrong links from your network; try again in a minute"),
    "unusable": ("forbidden", "guests cannot call here at the moment: the service has no TURN server"),
}


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()


def cleaned(text: str, most: int) -> str:
    """What somebody typed as a name: one line, without what is not seen (control characters, changes of direction), not too long."""
    text = unicodedata.normalize("NFC", text[: most * 8])
    seen = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    return " ".join(seen.split())[:most].strip()


def slug(name: str) -> str:
    """A readable piece of an address made of a name: its letters and digits in lower case with a dash behind, or nothing."""
    words = "".join(c if c.isalnum() else " " for c in unicodedata.normalize("NFKC", name).casefold()).split()
    short = "-".join(words)[:MAX_SLUG].strip("-")
    # Looked at as a whole: a name that is written from right to left must not stand beside our Latin letters (RFC 3454 §6).
    ready = bare_jid(f"guest-{short}-0@x") if short else None
    return ready.removeprefix("guest-").removesuffix("0@x") if ready else ""


def name_of(owner: str) -> str:
    """What a guest sees of the link's maker."""
    return owner.partition("@")[0]
