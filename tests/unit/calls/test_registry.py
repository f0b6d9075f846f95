"""Which call is meant, crossing calls, calls of web users among themselves, and that nothing is left behind.

J-067, J-070, J-073, J-075, J-093, J-098, J-254.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import pytest

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls.model import Limits, PeerResource
from jinglebridge.calls.registry import MAX_XML
from jinglebridge.errors import EndpointError, OutOfOrder, ResourceConstraint, ServiceUnavailable, TieBreak, UnknownSession
from jinglebridge.jingle import Content, Jingle, Proceed, Propose, Reason, Reject, Retract, SessionInfo, jingle_text
from tests.unit.calls.test_ending import STAGES, reach
from tests.unit.calls.world import (
    ANSWER,
    DOMAIN,
    JULIET,
    LAPTOP,
    OFFER,
    OWN_CANDIDATES,
    PAGE,
    PHONE,
    PLAIN,
    ROMEO,
    STRANGER,
    TAB,
    World,
    answer_of_peer,
    direct_in,
    direct_out,
    line,
    offer_of_peer,
    placed,
    proceeded,
    proposed,
    short,
    talking_in,
    talking_out,
    wired,
)


def forget(w: World) -> None:
    """Every page closes, and a minute and a bit later the registry is swept."""
    for page in [jid for people in w.registry.endpoints.values() for jid in people]:
        w.leaves(page)
    w.registry.sweep(w.now + 61)


# --- who


@pytest.mark.parametrize(("sender", "to"), [(LAPTOP, PAGE), (STRANGER, PAGE), (PHONE, TAB), (ROMEO, PAGE), (PHONE, JULIET)])
@pytest.mark.parametrize("action", ["session-terminate", "transport-info", "session-info", "session-accept", "session-initiate"])
def test_another_address_does_not_touch_the_session(sender, to, action):
    """J-075: item-not-found, and nothing changes."""
    w = talking_out(World())
    w.page(TAB)
    expected = ServiceUnavailable if action == "session-initiate" and sender == STRANGER else UnknownSession
    with pytest.raises(expected):
        w.sends(action, sender, to)
    assert not w.quiet


def test_unknown_session():
    """J-078."""
    w = World()
    with pytest.raises(UnknownSession):
        w.sends("session-terminate", sid="none")
    assert w.messages(Retract("none")) == []


def test_an_action_that_is_too_big_changes_nothing():
    """J-011. Nobody learns by size whether there is a session."""
    w = talking_out(World())
    text = jingle_text(Jingle("session-info", "id1", info=(SessionInfo("hold"),)))
    large = text.replace("</jingle>", f"{' ' * (MAX_XML - len(text))}</jingle>")
    assert len(large) == MAX_XML == 65536 and w.sends_xml(large) == ["page: hold None"]
    with pytest.raises(ResourceConstraint):
        w.sends_xml(large.replace("</jingle>", " </jingle>"))
    with pytest.raises(UnknownSession):
        w.sends_xml(large.replace("</jingle>", " </jingle>"), STRANGER)


@pytest.mark.parametrize("sender", [STRANGER, f"mallory@{DOMAIN}/x"])
def test_forged_retract_is_ignored(sender):
    """J-073."""
    w = World()
    proposed(w)
    assert w.messages(Retract("s1"), sender=sender) == [] and not w.quiet


@pytest.mark.parametrize("action", ["session-terminate", "transport-info", "session-accept", "session-initiate"])
def test_after_the_end_the_peer_hears_unknown_session(action):
    """J-093: for a minute also a replayed session-initiate; later it is a new one."""
    w = talking_in(World())
    w.does(ev.HungUp("id1"))
    w.has_heard_the_end()
    jingle = offer_of_peer("s1") if action == "session-initiate" else Jingle(action, "s1")
    with pytest.raises(UnknownSession):
        w.sends(jingle)
    w.registry.sweep(w.now + 60)
    if action == "session-initiate":
        assert "page: incoming audio,video from romeo" in w.sends(jingle)


def test_after_the_end_the_page_hears_unknown_call_unless_it_is_merely_late():
    w = talking_out(World())
    w.sends("session-terminate")
    for late in (ev.Gathered("c1", OWN_CANDIDATES[0]), ev.HungUp("c1"), ev.Reported("c1", "closed")):
        assert w.does(late) == []
    for wrong in (ev.Accepted("c1"), ev.Rejected("c1"), ev.Described("c1", "offer", OFFER), ev.Informed("c1", "mute"), ev.HungUp("c9")):
        with pytest.raises(EndpointError) as refused:
            w.does(wrong)
        assert refused.value.code == "unknown-call"
    w.registry.sweep(w.now + 60)
    with pytest.raises(EndpointError):
        w.does(ev.HungUp("c1"))


def test_after_the_end_timers_replies_and_bounces_are_silence():
    w = talking_out(World())
    key = w.key
    w.does(ev.HungUp("c1"))
    assert w.fires("ring", key) == w.bounces(key=key) == [] == w.registry.handle(key, ev.Answered("session-terminate", "timeout"), w.now)


def test_call_ids_are_used_once_per_page():
    w = World()
    w.page(TAB)
    placed(w)
    for _ in range(2):
        with pytest.raises(EndpointError) as refused:
            placed(w)
        assert refused.value.code == "duplicate-call"
        if not w.quiet:
            w.does(ev.HungUp("c1"))
    w.does(ev.Placed("c1", ROMEO, OFFER), TAB)


def test_a_page_that_is_over_cannot_call():
    w = World()
    w.leaves()
    with pytest.raises(EndpointError) as refused:
        placed(w)
    assert refused.value.code == "not-authorized"


def test_calls_of_a_page():
    w = World()
    assert list(w.registry.calls_of(PAGE)) == []
    placed(w)
    assert list(w.registry.calls_of(PAGE)) == [w.state]


def test_what_a_page_may_do_can_change():
    w = World()
    w.page(PAGE, anyone=False)
    with pytest.raises(EndpointError):
        placed(w)


# --- proposes that do not ring


def test_a_propose_rings_once():
    """Duplicates, also of a call that runs or has ended."""
    w = World()
    for stage in (lambda: None, lambda: w.does(ev.Accepted("id1")), lambda: w.does(ev.HungUp("id1"))):
        w.messages(Propose("s1", ("audio", "video")), to=JULIET)
        assert w.messages(Propose("s1", ("audio", "video")), to=JULIET) == []
        stage()
    assert w.messages(Propose("s1", ("audio", "video")), to=JULIET) == []


def test_a_propose_of_no_media_is_ignored():
    """J-055: also one of something that is no medium of a call."""
    w = World()
    for media in ((), ("application",), ("audio", "application")):
        assert w.messages(Propose("s1", media), to=JULIET) == [] and w.quiet


def test_an_old_propose_is_a_missed_call_once():
    """J-070."""
    w = World()
    for lines in (["juliet: missed romeo"], []):
        assert w.messages(Propose("s1", ("audio",)), to=JULIET, age=61.0) == lines
    assert w.quiet and not w.told(fx.TellIncoming)


def test_a_call_while_no_page_is_open_is_a_missed_call_once():
    """And the caller sees nothing of it: J-252."""
    w = World()
    w.leaves()
    assert w.messages(Propose("s1", ("audio",)), to=JULIET, age=5.0) == ["juliet: missed romeo"]
    assert w.told(fx.TellMissed) == [fx.TellMissed(JULIET, ROMEO, "Romeo", ("audio",), 995.0)] and len(w.last) == 2
    assert w.messages(Propose("s1", ("audio",)), to=JULIET) == []
    assert w.messages(Retract("s1"), to=JULIET) == []


# --- both call each other


def ids(*names: str):
    return iter(names).__next__


def test_crossing_proposes_ours_has_the_lower_id():
    """J-067: the peer's is rejected with expired and tie-break; ours goes on."""
    w = World(ids=ids("b"))
    placed(w)
    assert w.messages(Propose("c", ("audio", "video")), to=JULIET) == ["page > phone reject expired tie-break"]
    (reject,) = w.told(fx.SendJmi)
    assert reject.jmi == Reject("c", Reason("expired"), tie_break=True)
    assert "page > phone session-initiate" in w.messages(Proceed("b"))


def test_crossing_proposes_the_peers_has_the_lower_id():
    """J-067: ours is retracted with the same two children. The page that was calling goes on with the peer's; no other rings."""
    w = World(ids=ids("b", "id1"))
    w.page(TAB)
    placed(w)
    assert w.messages(Propose("a", ("audio", "video")), to=JULIET) == [
        "page > phone presence",
        "page > phone ringing",
        "page: incoming audio,video from romeo instead of c1",
        "timer ring 60",
        "page > romeo retract expired tie-break",
        "page: ended moved",
        "no more timers",
    ]
    assert w.state.sid == "a"
    assert w.messages(Proceed("b")) == [] and w.messages(Reject("b", tie_break=True)) == []


def test_ids_are_compared_by_their_octets():
    w = World(ids=ids("Z", "x"))
    placed(w)
    assert "page: ended moved" not in w.messages(Propose("a", ("audio", "video")), to=JULIET)


def test_crossing_proposes_of_other_media_ours_has_the_lower_id():
    """J-068: Conversations would answer ours with busy, so its own is not rejected: it rings beside ours until the peer decides."""
    w = World(ids=ids("b", "id1"))
    placed(w)
    assert "page: incoming audio from romeo" in w.messages(Propose("c", ("audio",)), to=JULIET)
    assert w.messages(Reject("b", Reason("busy"))) == ["page: ended busy", "no more timers"]
    assert w.does(ev.Accepted("id1")) == ["page > phone proceed", "timer initiate 10", "page: accepted"]


def test_crossing_proposes_of_other_media_the_peer_yields():
    """J-068: a peer that breaks the tie takes its own back."""
    w = World(ids=ids("b", "id1"))
    placed(w)
    w.messages(Propose("c", ("audio",)), to=JULIET)
    assert w.messages(Retract("c", Reason("expired"), tie_break=True)) == ["page: ended moved", "no more timers"]
    assert "page > phone session-initiate" in w.messages(Proceed("b"))


def test_crossing_proposes_of_other_media_the_peers_has_the_lower_id():
    """It rings as any other: nobody agreed to other media."""
    w = World(ids=ids("b", "id1"))
    placed(w)
    lines = w.messages(Propose("a", ("audio",)), to=JULIET)
    assert "page: incoming audio from romeo" in lines and "page > romeo retract expired tie-break" in lines


def test_taking_the_peers_call_takes_ours_back():
    """A peer that breaks no ties (Dino): both ring, and the person takes one."""
    w = World(ids=ids("b", "id1"))
    placed(w)
    w.messages(Propose("c", ("audio",)), to=JULIET)
    assert w.does(ev.Accepted("id1")) == [
        "page > phone proceed",
        "timer initiate 10",
        "page: accepted",
        "page > romeo retract expired tie-break",
        "page: ended moved",
        "no more timers",
    ]


def test_conversations_retracts_its_own_without_a_tie_break_and_takes_ours():
    """J-068: it lost, says so in its own words, and proceeds at once."""
    w = World(ids=ids("b"))
    placed(w)
    w.messages(Propose("c", ("audio", "video")), to=JULIET)
    assert w.messages(Retract("c"), to=JULIET) == []
    assert "page > phone session-initiate" in w.messages(Proceed("b"))


def test_a_rejected_crossing_propose_is_not_rejected_twice():
    """Nor does it ring when it comes again after ours is over."""
    w = World(ids=ids("b"))
    placed(w)
    again = Propose("c", ("audio", "video"))
    w.messages(again, to=JULIET)
    assert w.messages(again, to=JULIET) == []
    w.does(ev.HungUp("c1"))
    assert w.messages(again, to=JULIET) == [] and w.quiet


def test_several_crossing_proposes_of_ours():
    """The lowest of all goes on."""
    w = World(ids=ids("b", "d", "x"))
    w.page(TAB)
    placed(w)
    w.does(ev.Placed("c1", ROMEO, OFFER), TAB)
    assert w.messages(Propose("c", ("audio", "video")), to=JULIET) == ["page > phone reject expired tie-break"]
    lines = w.messages(Propose("a", ("audio", "video")), to=JULIET)
    assert [said for said in lines if "incoming" in said] == [
        "page: incoming audio,video from romeo instead of c1",
        "tab: incoming audio,video from romeo instead of c1",
    ]
    assert lines[-6:] == [
        "page > romeo retract expired tie-break",
        "page: ended moved",
        "no more timers",
        "tab > romeo retract expired tie-break",
        "tab: ended moved",
        "no more timers",
    ]


@pytest.mark.parametrize("stage", [proceeded, talking_out, talking_in])
def test_a_propose_while_a_call_runs_is_a_second_call(stage):
    """J-106: call waiting."""
    w = World()
    stage(w)
    assert "page: incoming audio from romeo" in w.messages(Propose("a", ("audio",)), to=JULIET)
    assert len(w.registry.calls) == 2


def test_another_page_of_the_same_person_does_not_ring():
    """Both sides of such a call would be one key."""
    w = World()
    w.page(TAB)
    assert w.messages(Propose("a", ("audio",)), sender=TAB, to=JULIET) == []
    with pytest.raises(ServiceUnavailable):
        w.sends(offer_of_peer("a"), TAB, PAGE)


def test_two_other_people_do_not_cross():
    w = World()
    w.page(f"nurse@{DOMAIN}/w-3")
    placed(w)
    assert f"nurse@{DOMAIN}/w-3: incoming audio from romeo" in w.messages(Propose("a", ("audio",)), to=f"nurse@{DOMAIN}")


def test_crossing_session_initiates_ours_has_the_lower_sid():
    """J-098."""
    w = World(PLAIN, ids=ids("b"))
    direct_out(w)
    with pytest.raises(TieBreak):
        w.sends(offer_of_peer("c"))
    assert w.state.sid == "b"


def test_crossing_session_initiates_the_peers_has_the_lower_sid():
    """J-098: the peer answers ours with tie-break; one that does not must not ring on."""
    w = World(PLAIN, ids=ids("b", "id1"))
    direct_out(w)
    key = w.key
    assert w.sends(offer_of_peer("a")) == [
        "page > phone presence",
        "page > phone session-info ringing",
        "page: incoming audio,video from romeo instead of c1",
        "timer ring 60",
        "page > phone session-terminate cancel",
        "page: ended moved",
        "no more timers",
    ]
    for answer in (
        ev.Answered("session-initiate", "conflict", "tie-break"),
        ev.Answered("session-terminate", "item-not-found", "unknown-session"),
    ):
        assert w.registry.handle(key, answer, w.now) == []


def test_a_crossing_offer_that_cannot_be_carried_still_tells_our_page():
    """Our call loses the tie (J-098), the peer's is refused (J-129): the page must not ring on for nobody."""
    w = World(PLAIN, ids=ids("b", "id1"))
    direct_out(w)
    offer = offer_of_peer("a")
    plain = tuple(replace(c, transport=replace(c.transport, fingerprints=())) for c in offer.contents if c.transport)
    told = w.sends(replace(offer, contents=plain))
    assert "page: ended moved" in told
    assert any("session-terminate" in line for line in told)
    assert not w.registry.calls


@pytest.mark.parametrize(("sender", "to"), [(LAPTOP, PAGE), (PHONE, TAB)])
def test_session_initiates_of_other_devices_do_not_cross(sender, to):
    w = World(PLAIN, ids=ids("b", "id1"))
    w.page(TAB)
    direct_out(w)
    assert f"{short(to)}: incoming audio,video from romeo" in w.sends(offer_of_peer("c"), sender, to)
    assert len(w.registry.calls) == 2


def test_the_same_sid_both_ways_is_out_of_order():
    w = World(PLAIN, ids=ids("b"))
    direct_out(w)
    with pytest.raises(OutOfOrder):
        w.sends(offer_of_peer("b"))


# --- web users among themselves: both sides in one registry

NURSE = f"nurse@{DOMAIN}"
KITCHEN = f"{NURSE}/w-9"


class Server:
    """Carries stanzas between the two sides in order, as the XMPP server would, and answers IQs."""

    def __init__(self, w: World) -> None:
        self.w = w
        self.queue: deque[fx.Effect] = deque()

    def run(self) -> list[str]:
        heard: list[str] = []
        self.queue.extend(self.w.last)
        while self.queue:
            effect = self.queue.popleft()
            if (said := line(effect)) is not None:
                heard.append(said.replace(KITCHEN, "kitchen").replace(NURSE, "nurse"))
            self.queue.extend(self._carry(effect))
        return heard

    def _carry(self, effect: fx.Effect) -> list[fx.Effect]:
        registry, now = self.w.registry, self.w.now
        match effect:
            case fx.SendJmi(sender, to, jmi):
                return registry.from_peer_message(ev.JmiReceived(jmi, sender, to), now)
            case fx.SendJingle(sender, to, jingle):
                read, text = wired(jingle)
                key = (sender.partition("/")[0], to.partition("/")[0], jingle.sid)
                try:
                    effects = registry.from_peer(ev.JingleReceived(read, sender, to, text), now)
                except UnknownSession as error:
                    return registry.handle(key, ev.Answered(jingle.action, error.condition, error.jingle), now)
                return effects + registry.handle(key, ev.Answered(jingle.action), now)
        return []


def web_users(*devices: PeerResource) -> tuple[World, Server]:
    w = World()
    w.page(KITCHEN)
    w.resources[NURSE] = devices
    return w, Server(w)


def test_web_user_calls_web_user():
    """The keys of the two sides are mirrored; each hears its own side only."""
    w, server = web_users()
    w.does(ev.Placed("c1", NURSE, OFFER))
    assert server.run() == [
        "page > nurse presence",
        "page > nurse propose audio,video",
        "timer ring 60",
        "page: proceeding",
        "kitchen > page presence",
        "kitchen > page ringing",
        "kitchen: incoming audio,video from juliet",
        "timer ring 60",
        "page: ringing",
    ]
    assert set(w.registry.calls) == {(JULIET, NURSE, "id1"), (NURSE, JULIET, "id1")}
    w.does(ev.Accepted("id2"), KITCHEN)
    assert [s for s in server.run() if ":" in s] == ["kitchen: accepted", "page: accepted", "kitchen: offer"]
    w.does(ev.Described("id2", "answer", ANSWER), KITCHEN)
    assert [s for s in server.run() if ":" in s] == ["kitchen: connecting", "page: answer", "page: connecting"]
    w.does(ev.Gathered("c1", OWN_CANDIDATES[0]))
    assert server.run()[-1] == "kitchen: candidate 0 0"
    w.does(ev.HungUp("c1"))
    assert sorted(s for s in server.run() if "ended" in s) == ["kitchen: ended ended", "page: ended ended"]
    assert w.quiet
    forget(w)
    assert w.entries() == {}


def test_web_user_calls_web_user_without_jmi():
    w, server = web_users(PeerResource(KITCHEN, PLAIN.features))
    w.does(ev.Placed("c1", NURSE, OFFER))
    heard = server.run()
    assert "kitchen: incoming audio,video from juliet" in heard and heard[-1] == "page: ringing"
    w.does(ev.Rejected("id2"), KITCHEN)
    assert [s for s in server.run() if ":" in s] == ["kitchen: ended declined", "page: ended declined"]
    assert w.quiet


def test_web_users_call_each_other_at_the_same_time():
    """J-067 with ourselves: exactly one of the two calls rings."""
    w, server = web_users()
    w.does(ev.Placed("c1", NURSE, OFFER))
    server.queue.extend(w.last)
    w.does(ev.Placed("k1", JULIET, OFFER), KITCHEN)
    heard = server.run()
    assert [s for s in heard if "incoming" in s or "ended" in s] == [
        "kitchen: incoming audio,video from juliet instead of k1",
        "kitchen: ended moved",
    ]
    assert len(w.registry.calls) == 2


# --- nothing is left behind


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("how", ["hang-up", "page", "operator"])
def test_no_table_keeps_anything_of_a_call(stage, how):
    """J-254."""
    w = reach(stage)
    if how == "hang-up":
        w.does(ev.HungUp(STAGES[stage][1]))
    elif how == "operator":
        w.ends()
    forget(w)
    for key in list(w.registry.calls):  # rings out for nobody
        w.fires("ring", key)
    w.registry.sweep(w.now + 61)
    assert w.entries() == {}


@pytest.mark.parametrize(
    ("description", "placed_at"), [("a refused direct offer", None), ("nobody can take it", "c1"), ("a stranger", None)]
)
def test_no_table_keeps_anything_of_an_attempt(description, placed_at):
    """J-254."""
    w = World(PeerResource(PHONE, frozenset({"x"})))
    if placed_at:
        w.does(ev.Placed(placed_at, ROMEO, OFFER))
    elif description == "a stranger":
        w.messages(Propose("s1", ("audio",)), sender=STRANGER)
    else:
        contents = offer_of_peer("s1").contents
        bare = tuple(replace(c, transport=replace(c.transport, fingerprints=())) for c in contents)
        w.sends(Jingle("session-initiate", "s1", contents=bare))
    assert w.quiet
    forget(w)
    assert w.entries() == {}


def test_no_table_grows_with_the_calls_that_were():
    w = World(limits=Limits(attempts_per_caller=10_000))
    for number in range(100):
        talking_out_again(w, number)
        w.now += 1
    w.registry.sweep(w.now)
    assert len(w.registry._ended) <= 60 and len(w.registry._ended_ids) <= 60
    forget(w)
    assert w.entries() == {}


def talking_out_again(w: World, number: int) -> None:
    w.does(ev.Placed(f"c{number}", ROMEO, OFFER))
    w.messages(Proceed(w.state.sid))
    w.sends(answer_of_peer(w.sent("session-initiate")[0]))
    w.does(ev.HungUp(f"c{number}"))


def test_several_pages_and_calls_leave_together():
    w = World()
    w.page(TAB)
    proposed(w)
    placed(w)
    w.does(ev.Placed("c2", ROMEO, OFFER), TAB)
    w.leaves(TAB)
    assert len(w.registry.calls) == 2
    w.leaves()
    assert len(w.registry.calls) == 1
    w.ends()
    forget(w)
    assert w.entries() == {}


def test_a_page_that_was_never_there_leaves():
    w = World()
    assert w.leaves("nobody@call.example.org/x") == []
    direct_in(w)
    assert not w.quiet


def test_what_crosses_our_terminate_is_acked_until_the_peer_has_it():
    """J-096: an error that comes before the session-terminate would end the call of Conversations for another reason."""
    w = talking_out(World())
    w.does(ev.HungUp("c1"))
    assert w.sends("transport-info", contents=(Content("0"),)) == []
    with pytest.raises(UnknownSession):
        w.sends("transport-info", sender=LAPTOP, contents=(Content("0"),))
    w.has_heard_the_end()
    with pytest.raises(UnknownSession):
        w.sends("transport-info", contents=(Content("0"),))
