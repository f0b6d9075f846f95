"""Who may call whom, and how often. J-043, J-071, J-105, J-245, J-252; DESIGN §2 and §5."""

from __future__ import annotations

import pytest

from jinglebridge.calls import events as ev
from jinglebridge.calls.admission import MINUTE, Admission, Policy, Window, domain_of
from jinglebridge.calls.model import Endpoint, Limits
from jinglebridge.errors import EndpointError, ResourceConstraint, ServiceUnavailable
from jinglebridge.jingle import Propose
from tests.unit.calls.world import DOMAIN, JULIET, OFFER, PAGE, ROMEO, STRANGER, TAB, World, offer_of_peer

OWN = Endpoint(PAGE, contacts=frozenset({ROMEO}))
POLICY = Policy(DOMAIN, frozenset({"example.net"}))


def propose(w: World, sid: str, sender: str = f"{ROMEO}/phone") -> list[str]:
    return w.messages(Propose(sid, ("audio",)), sender=sender, to=JULIET)


@pytest.mark.parametrize(("jid", "domain"), [("a@b/c@d", "b"), ("a@b", "b"), ("b", "b"), ("b/r", "b"), ("b/a@d", "b")])
def test_domain_of_an_address(jid, domain):
    assert domain_of(jid) == domain


@pytest.mark.parametrize(
    ("peer", "allowed"),
    [
        (ROMEO, True),
        (f"nurse@{DOMAIN}", True),
        ("friend@far.example/x", True),
        ("stranger@far.example", False),
        ("mallory@example.net.evil.example", False),
        ("mallory@evil.example/example.net", False),
    ],
)
def test_peers_of_known_servers_and_contacts_may_call(peer, allowed):
    assert POLICY.peer_may_call(peer, frozenset({"friend@far.example"})) is allowed
    assert Policy(DOMAIN, everyone=True).peer_may_call(peer, frozenset())


@pytest.mark.parametrize(
    ("endpoint", "to", "allowed"),
    [
        (OWN, ROMEO, True),
        (OWN, "other@example.net", False),
        (OWN, f"echo@{DOMAIN}", True),
        (Endpoint(PAGE, anyone=True), "other@example.net", True),
    ],
)
def test_pages_call_their_contacts_and_our_services(endpoint, to, allowed):
    assert POLICY.endpoint_may_call(endpoint, to) is allowed


@pytest.mark.parametrize(
    ("outgoing", "to", "allowed"),
    [
        ("contacts", "other@example.net", False),
        ("servers", "other@example.net", True),
        ("servers", f"nurse@{DOMAIN}", True),
        ("servers", "friend@far.example", False),
        ("everyone", "friend@far.example", True),
        ("everyone", "eve@far.example", False),
        ("everyone", "anybody@spam.example", False),
        ("contacts", f"echo@{DOMAIN}", True),
    ],
)
def test_the_operator_says_whom_pages_call(outgoing, to, allowed):
    blocked = frozenset({"spam.example", "eve@far.example"})
    policy = Policy(DOMAIN, frozenset({"example.net"}), outgoing=outgoing, blocked=blocked)
    assert policy.endpoint_may_call(OWN, to) is allowed


@pytest.mark.parametrize("peer", ["eve@far.example/x", "anybody@spam.example", "spam.example"])
def test_whoever_is_blocked_reaches_nobody(peer):
    policy = Policy(DOMAIN, everyone=True, blocked=frozenset({"spam.example", "eve@far.example"}))
    contacts = frozenset({"eve@far.example", "anybody@spam.example"})
    assert policy.blocks(peer) and not policy.peer_may_call(peer, contacts), "not even as a contact"
    assert not policy.endpoint_may_call(Endpoint(PAGE, contacts=contacts, anyone=True), peer)
    assert not policy.blocks("anybody@not-spam.example") and not policy.blocks("eve@example.net")


def test_a_page_may_not_call_others_nor_itself():
    w = World()
    w.page(PAGE, anyone=False)
    w.page(TAB)
    for to, page in (("other@example.net", PAGE), (JULIET, TAB)):
        with pytest.raises(EndpointError) as refused:
            w.does(ev.Placed("c1", to, OFFER), page)
        assert refused.value.code == "forbidden"


def test_calls_at_once_are_limited_per_person():
    """DESIGN §5: 8."""
    admission = Admission(POLICY, Limits())
    admission.outgoing(OWN, ROMEO, 7, 0)
    with pytest.raises(EndpointError, match="no more than 8 calls at once") as refused:
        admission.outgoing(OWN, ROMEO, 8, 0)
    assert refused.value.code == "rate-limited"


def test_eight_calls_of_one_person_over_both_pages():
    w = World(limits=Limits(attempts_per_caller=100))
    w.page(TAB)
    for number in range(8):
        w.does(ev.Placed(f"c{number}", ROMEO, OFFER), (PAGE, TAB)[number % 2])
    with pytest.raises(EndpointError, match="at once"):
        w.does(ev.Placed("c8", ROMEO, OFFER))
    w.does(ev.HungUp("c0"))
    w.does(ev.Placed("c8", ROMEO, OFFER))


def test_six_calls_a_minute_per_page_owner():
    w = World()
    for number in range(6):
        w.does(ev.Placed(f"c{number}", ROMEO, OFFER))
        w.does(ev.HungUp(f"c{number}"))
    with pytest.raises(EndpointError, match="6 calls a minute"):
        w.does(ev.Placed("c6", ROMEO, OFFER))
    w.now += MINUTE
    w.does(ev.Placed("c6", ROMEO, OFFER))


def test_three_rings_at_once_per_callee():
    """DESIGN §5: the fourth is silence, and rings again once one has ended."""
    w = World()
    for number in range(4):
        lines = propose(w, f"s{number}", f"user{number}@example.net/x")
        assert bool(lines) is (number < 3)
    w.does(ev.Rejected("id1"))
    assert propose(w, "s4", "user4@example.net/x")


def test_an_accepted_call_does_not_count_as_ringing():
    w = World()
    for number in range(5):
        assert propose(w, f"s{number}", f"user{number}@example.net/x")
        w.does(ev.Accepted(f"id{number + 1}"))


def test_six_rings_a_minute_per_caller():
    w = World()
    heard = []
    for number in range(8):
        lines = propose(w, f"s{number}")
        heard.append(bool(lines))
        if lines:
            w.does(ev.Rejected(f"id{number + 1}"))
    assert heard == [True] * 6 + [False] * 2


def test_twenty_rings_a_minute_per_remote_domain_but_not_for_known_servers():
    for servers, heard in ((frozenset[str](), 20), (frozenset({"example.net"}), 25)):
        admission = Admission(Policy(DOMAIN, servers, everyone=True), Limits())
        count = 0
        for number in range(25):
            try:
                count += admission.incoming(f"user{number}@example.net", frozenset(), 0, 0)
            except ResourceConstraint:
                continue
        assert count == heard


def test_web_users_calling_each_other_are_counted_once_as_callers():
    """The bridge's own domain is not a remote one, and who calls was counted when the call was placed."""
    admission = Admission(POLICY, Limits())
    assert all(admission.incoming(f"juliet@{DOMAIN}", frozenset(), 0, 0) for _ in range(100))
    with pytest.raises(ResourceConstraint, match="ringing"):
        admission.incoming(f"juliet@{DOMAIN}", frozenset(), 3, 0)


def test_a_stranger_sees_nothing_or_always_the_same():
    """J-043, J-071, J-252: no ringing, no receipt; the same error whether the page is there, gone, or never was."""
    w = World()
    assert w.messages(Propose("s1", ("audio",)), sender=STRANGER, to=JULIET, stanza_id="m", receipt=True) == []
    answers = set()
    for to in (PAGE, f"{JULIET}/nobody", JULIET, f"nobody@{DOMAIN}/x", DOMAIN):
        with pytest.raises(ServiceUnavailable) as refused:
            w.sends(offer_of_peer("s1"), sender=STRANGER, to=to)
        answers.add((refused.value.type, refused.value.condition, refused.value.jingle, str(refused.value)))
    assert len(answers) == 1
    assert w.quiet and w.entries() == {"endpoints": 1}


def test_a_rate_limited_direct_call_looks_like_nobody():
    """J-252."""
    w = World(limits=Limits(attempts_per_caller=0))
    with pytest.raises(ServiceUnavailable):
        w.sends(offer_of_peer("s1"))


def test_window_slides_and_forgets():
    window = Window(2)
    assert not window.full("a", 0)
    assert window.admit("a", 0) and window.admit("a", 30) and not window.admit("a", 59)
    assert window.full("a", 59) and not window.full("a", 60)
    assert window.admit("a", 60) and not window.admit("a", 61)
    window.forget(119)
    assert window.seen
    window.forget(120)
    assert not window.seen
    (slow := Window(1, seconds=600)).note("a", 0)
    slow.note("a", 1)
    assert slow.full("a", 600) and not slow.full("a", 601) and slow.seen == {"a": [1]}
    many = Window(3)
    assert [many.admit("a", now) for now in (0, 10, 20, 59, 60, 65, 70, 79, 80)] == [True] * 3 + [False, True, False, True, False, True]
    assert many.seen == {"a": [60, 70, 80]}
    many.note("a", 300)
    assert many.seen == {"a": [300]}, "what counts no more is not kept"
    few = Window(1, names=2)
    assert few.admit("a", 0) and few.admit("b", 0) and few.admit("c", 0) and list(few.seen) == ["b", "c"]
    closed = Window(0)
    assert not closed.admit("a", 0)
    closed.forget(0)
    assert not closed.seen
