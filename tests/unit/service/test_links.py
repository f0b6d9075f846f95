"""Guest links: whom they let in, for how long, and what one learns by guessing. DESIGN §2 (c), §5."""

from __future__ import annotations

from typing import Any

import pytest

from jinglebridge.calls.people import Link
from jinglebridge.config import Policy
from jinglebridge.errors import EndpointError
from jinglebridge.service.catalogue import described
from jinglebridge.service.links import CALLS, DAY, GUESSES, VISITS, Links, Wish, cleaned, slug
from jinglebridge.store.memory import MemoryStore
from jinglebridge.web.guest_pages import LinkRefused, LinkView
from jinglebridge.web.tokens import Identity
from jinglebridge.xmpp.stanza import prepare

ROMEO, IP = "romeo@im.test", "192.0.2.7"


class Lab:
    def __init__(self, **policy: Any) -> None:
        self.now, self.store, self.revoked = 1_000_000.0, MemoryStore(), []
        self.policy = Policy(**policy)
        self.links = self.again()

    def again(self) -> Links:
        """As after a restart."""
        links = Links(self.store, self.policy, frozenset({"im.test"}), "https://call.test", lambda: self.now)
        links.has_turn, links.availability, links.revoked = lambda: True, lambda owner: "away", self.revoked.append
        return links

    def make(self, **wish: Any) -> tuple[Link, str]:
        link, url = self.links.make(ROMEO, Wish(**wish))
        prefix, code = url.rsplit("/", 1)
        assert prefix == "https://call.test/c" and len(code) == 32
        return link, code

    def guest(self, name: str) -> Identity:
        return self.links.admit(self.make()[1], name, IP)

    def why(self, code: str, address: str = IP) -> str:
        with pytest.raises(LinkRefused) as caught:
            self.links.look(code, address)
        return caught.value.why

    def refused(self, code: str, name: str | None = "Anna", address: str = IP) -> str:
        with pytest.raises(EndpointError) as caught:
            self.links.admit(code, name, address)
        return caught.value.code


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_a_link_lets_a_guest_in_who_may_call_its_maker_only(lab: Lab):
    link, code = lab.make(label="Shop")
    view = lab.links.look(code, IP)
    assert view == LinkView(name="romeo", label="Shop", video=True, presence="unknown")
    guest = lab.links.admit(code, " Anna \x00 Blume ", IP)
    assert guest.user.startswith("guest-anna-blume-") and guest.name == "Anna Blume (link: Shop)"
    assert (guest.contacts, guest.may_call, guest.way, guest.guest, guest.relay_only) == ((), (ROMEO,), f"link:{link.id}", True, True)
    assert guest.named, "the page cannot choose another name"
    assert lab.links.admit(code, "Anna", IP).user != guest.user
    assert lab.make()[1] != code and "romeo" not in code


def test_the_code_is_nowhere(lab: Lab):
    link, code = lab.make()
    assert code not in repr(lab.store.rows(Link)) and code not in repr(lab.links.__dict__) and len(link.hash) == 64


def test_presence_only_where_the_maker_allows_it(lab: Lab):
    assert lab.links.look(lab.make(presence=True)[1], IP).presence == "away"


def test_days_and_the_end(lab: Lab):
    link, code = lab.make(days=2)
    assert link.expires == lab.now + 2 * DAY
    lab.now += 2 * DAY - 1
    lab.links.look(code, IP)
    lab.now += 1
    assert lab.why(code) == "expired" and lab.refused(code) == "token-expired"
    for days in (0, 31, -1):
        with pytest.raises(ValueError, match="1 to 30 days"):
            lab.make(days=days)
    forever = Lab(link_days=0)
    with pytest.raises(ValueError, match="at most 36500 days"):
        forever.make(days=36_501)
    assert described(forever.make(days=36_500)[0]).startswith("without a name, until ")
    assert forever.make(days=0)[0].expires == 0.0 and forever.make(days=4000)
    with pytest.raises(ValueError, match="negative"):
        forever.make(days=-1)


def test_single_use_is_spent_by_an_accepted_call(lab: Lab):
    link, code = lab.make(once=True)
    way = f"link:{link.id}"
    for _ in range(3):
        lab.links.look(code, IP)
        lab.links.admit(code, "Anna", IP)
    lab.links.placing(way)
    assert lab.links.spend(way) and not lab.links.spend(way)
    assert lab.why(code) == "spent" and lab.refused(code) == "token-expired"
    with pytest.raises(EndpointError) as caught:
        lab.links.placing(way)
    assert caught.value.code == "token-expired"
    lab.links = lab.again()
    assert lab.why(code) == "spent", "also after a restart"
    many, _ = lab.make()
    assert lab.links.spend(f"link:{many.id}") and lab.links.spend(f"link:{many.id}") and lab.links.spend("link:gone")


def test_taken_back_looks_like_never_there(lab: Lab):
    link, code = lab.make()
    other, _ = lab.make()
    lab.links.revoke(link)
    assert lab.revoked == [f"link:{link.id}"] and lab.links.of(ROMEO) == [other] and lab.links.by_way(f"link:{link.id}") is None
    assert lab.why(code) == lab.why("never") == "unknown" and lab.refused(code) == lab.refused("never") == "not-authorized"
    with pytest.raises(EndpointError) as caught:
        lab.links.placing(f"link:{link.id}")
    assert caught.value.code == "not-authorized"
    lab.links = lab.again()
    assert lab.why(code) == "unknown" and lab.links.of() == [other]
    lab.links.revoke(other)
    assert lab.links.of(ROMEO) == lab.links.of() == []


def test_guessing_is_limited_by_network_and_then_shows_nothing(lab: Lab):
    _, code = lab.make()
    for n in range(GUESSES):
        assert lab.why(f"guess{n}", f"2001:db8::{n:x}") == "unknown"
    assert lab.why("guess", "2001:db8::ffff") == lab.why(code, "2001:db8::1") == "busy"
    assert lab.refused(code, address="2001:db8::1") == "rate-limited"
    lab.links.look(code, "2001:db8:0:1::1")
    lab.links.look(code, IP)
    lab.now += 61
    lab.links.look(code, "2001:db8::1")
    lab.links.sweep()
    assert not lab.links._guesses.seen


def test_calls_and_visits_of_one_link_are_limited(lab: Lab):
    link, code = lab.make()
    for _ in range(CALLS):
        lab.links.placing(f"link:{link.id}")
    with pytest.raises(EndpointError) as caught:
        lab.links.placing(f"link:{link.id}")
    assert caught.value.code == "rate-limited"
    for _ in range(VISITS):
        lab.links.admit(code, "Anna", IP)
    assert lab.refused(code) == "rate-limited"


def test_links_of_one_person_are_limited():
    lab = Lab(links_per_person=2)
    lab.make(), lab.make()
    with pytest.raises(ValueError, match="2 links already"):
        lab.make()
    with pytest.raises(ValueError, match="not offered"):
        Lab(links_per_person=0).make()


def test_without_turn():
    lab = Lab()
    link, code = lab.make()
    lab.links.has_turn = lambda: False
    assert lab.why(code) == "unusable" and lab.refused(code) == "forbidden"
    with pytest.raises(EndpointError, match="TURN"):
        lab.links.placing(f"link:{link.id}")
    with pytest.raises(ValueError, match="TURN"):
        lab.make()
    open_ = Lab(guests_without_turn=True)
    open_.links.has_turn = lambda: False
    assert not open_.links.admit(open_.make()[1], "Anna", IP).relay_only
    assert not Lab(guests_relay_only=False).links.relay_only


def test_a_guest_needs_a_name(lab: Lab):
    _, code = lab.make()
    for name in (None, "", " ", "\u202e", "…", "\x00"):
        assert lab.refused(code, name) == "bad-frame"
    assert lab.links.admit(code, "x" * 200, IP).name == "x" * 64


@pytest.mark.parametrize(
    ("name", "slugged"),
    [
        ("Anna", "anna-"), ("Müller & Söhne", "müller-söhne-"), ("<b>Bob</b>", "b-bob-b-"), ("Анна", "анна-"), ("李", "李-"), ("!!", ""),
        ("x" * 50, "x" * 20 + "-"), ("ｆｕｌｌ", "full-"), ("a@b/c", "a-b-c-"), ("\u202eevil", "evil-"),
        ("שלום", ""), ("محمد", ""), ("a שלום", ""), ("ǅ", "dž-"),
    ],
)  # fmt: skip
def test_names_in_addresses(name: str, slugged: str):
    """Whatever the name, the address is one that servers take, and is written as they write it."""
    assert slug(name) == slugged
    user = Lab().guest(name if any(map(str.isalnum, name)) else f"{name} 1").user
    assert prepare(f"{user}@im.test") == f"{user}@im.test"


def test_cleaned():
    assert cleaned("a\u202eb\nc\x1bd  e", 64) == "a b c d e" and cleaned("x" * 1000, 64) == "x" * 64
    assert cleaned("<script>", 64) == "<script>", "markup is text; who shows it knows that"
    assert cleaned("e\u0301", 64) == "é"


def test_whom_the_commands_serve(lab: Lab):
    assert lab.links.serves(ROMEO) and not lab.links.serves("x@evil.test") and not lab.links.serves("im.test")
    assert Lab(everyone=True).links.serves("x@evil.test")


def test_old_ones_are_forgotten(lab: Lab):
    lab.make(days=1)
    once, _ = lab.make(once=True, days=30)
    lab.links.spend(f"link:{once.id}")
    lab.now += 30 * DAY
    lab.links.sweep()
    assert len(lab.links.of()) == 2
    lab.now += 1.5 * DAY
    lab.links.sweep()
    assert lab.links.of() == [] and lab.store.rows(Link) == []
