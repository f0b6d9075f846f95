"""What peers can do: verified before it is believed, asked once however many there are. J-026 … J-029, J-041."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from jinglebridge.calls.model import AUDIO, CALLABLE, JMI, VIDEO
from jinglebridge.xmpp import caps
from jinglebridge.xmpp import peers as module
from jinglebridge.xmpp.peers import Peers, Seen
from jinglebridge.xmpp.requests import Requests
from tests.unit.fakes import DOMAIN, Sent, el, presence, settle, stanza

OWN, PEER = f"anna@{DOMAIN}", "bob@im.test"
ABLE = caps.DiscoInfo((caps.Identity("client", "phone"),), frozenset(CALLABLE | {AUDIO, VIDEO, JMI}))
DUMB = caps.DiscoInfo((caps.Identity("client", "pc"),), frozenset({"urn:nothing"}))


class World:
    def __init__(self) -> None:
        self.sent = Sent()
        self.requests = Requests(self.sent)
        self.peers = Peers(self.requests)
        self.changes: list[tuple[str, str]] = []
        self.resources: list[tuple[str, bool]] = []
        self.peers.on_change = lambda own, peer: self.changes.append((own, peer))
        self.peers.on_resource = lambda jid, there: self.resources.append((jid, there))

    def arrive(self, jid: str, ver: str | None = None, inner: str = "", own: str = OWN, hash: str = "sha-1") -> None:
        c = f"<c xmlns='{caps.NS}' hash='{hash}' node='urn:n' ver='{ver}'/>" if ver else ""
        self.peers.available(presence(jid, own, inner + c))

    def leave(self, jid: str, own: str = OWN) -> None:
        self.peers.unavailable(presence(jid, own, type="unavailable"))

    def answer(self, query: ET.Element, info: caps.DiscoInfo | None) -> bool:
        payload = ET.tostring(info.build(query[0].get("node")), encoding="unicode") if info else ""
        kind = "result" if info else "error"
        return self.requests.answered(
            stanza(f"<iq type='{kind}' id='{query.get('id')}' from='{query.get('to')}' to='{query.get('from')}'>{payload}</iq>")
        )

    def features(self, jid: str, own: str = OWN) -> frozenset[str] | None:
        return next(r.features for r in self.peers.info(own, jid.partition("/")[0]).resources if r.jid == jid)


@pytest.fixture
async def world() -> World:
    return World()


async def test_a_hundred_presences_make_one_query(world: World):
    for number in range(100):
        world.arrive(f"bob{number}@im.test/r", ABLE.ver())
    (query,) = world.sent.take()
    assert query[0].get("node") == f"urn:n#{ABLE.ver()}" and query.get("to") == "bob0@im.test/r" and query.get("from") == OWN
    assert world.answer(query, ABLE)
    assert all(world.features(f"bob{n}@im.test/r") == ABLE.features for n in range(100))
    world.arrive("later@im.test/r", ABLE.ver())
    assert world.sent == [] and world.features("later@im.test/r") == ABLE.features, "known by its hash"


async def test_a_poisoned_answer_is_good_for_its_sender_only(world: World):
    world.arrive("evil@im.test/r", ABLE.ver())
    world.arrive(f"{PEER}/r", ABLE.ver())
    (query,) = world.sent.take()
    world.answer(query, DUMB)
    assert world.features("evil@im.test/r") == DUMB.features
    (second,) = world.sent.take()
    assert second.get("to") == f"{PEER}/r", "the next one with this hash is asked"
    world.answer(second, ABLE)
    assert world.features(f"{PEER}/r") == ABLE.features and world.features("evil@im.test/r") == DUMB.features
    world.arrive("later@im.test/r", ABLE.ver())
    assert world.features("later@im.test/r") == ABLE.features


@pytest.mark.parametrize("how", ["error", "nonsense"])
async def test_a_peer_that_does_not_answer_does_not_hide_the_others(world: World, how: str):
    world.arrive("mute@im.test/r", ABLE.ver())
    world.arrive(f"{PEER}/r", ABLE.ver())
    (query,) = world.sent.take()
    twice = caps.DiscoInfo(ABLE.identities * 2, ABLE.features)
    world.answer(query, None if how == "error" else twice)
    assert world.features("mute@im.test/r") is None
    (second,) = world.sent.take()
    world.answer(second, ABLE)
    assert world.features(f"{PEER}/r") == ABLE.features


async def test_nobody_is_asked_again_when_the_stream_is_lost(world: World):
    for name in ("a", "b"):
        world.arrive(f"{name}@im.test/r", ABLE.ver())
    world.sent.take()
    world.sent.up = False
    world.requests.lost()
    await settle()
    assert world.sent == [] and len(world.requests) == 0


@pytest.mark.parametrize("hash", ["sha-1", "sha-256"])
async def test_without_a_hash_that_can_be_checked_each_resource_is_asked(world: World, hash: str):
    for name in ("r", "s"):
        world.arrive(f"{PEER}/{name}", "whatever" if hash == "sha-256" else None, hash=hash)
    first, second = world.sent.take()
    assert "node" not in first[0].attrib
    world.answer(first, ABLE)
    assert world.features(f"{PEER}/r") == ABLE.features and world.features(f"{PEER}/s") is None
    world.answer(second, DUMB)
    assert world.features(f"{PEER}/s") == DUMB.features


async def test_the_cache_of_hashes_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_CAPS", 2)
    infos = [caps.DiscoInfo((caps.Identity("client", "pc", "", str(n)),), frozenset({"urn:f"})) for n in range(3)]
    for info in infos:
        world.arrive(f"{PEER}/r", info.ver())
        world.answer(world.sent.take()[0], info)
    world.arrive(f"{PEER}/r", infos[0].ver())
    assert len(world.sent.take()) == 1, "the oldest was forgotten"


async def test_what_a_user_sees_is_the_best_resource(world: World):
    for jid, inner in (
        (f"{PEER}/a", "<show>dnd</show><priority>9</priority>"),
        (f"{PEER}/b", "<show>xa</show><status>out</status><priority>1</priority>"),
        (f"{PEER}/c", "<show>away</show><status>lunch</status><priority>5</priority>"),
        (f"{PEER}/d", "<show>nonsense</show><status>here</status><priority>many</priority>"),
    ):
        world.arrive(jid, inner=inner)
    assert world.peers.seen(OWN, PEER) == Seen("available", "here")
    world.leave(f"{PEER}/d")
    assert world.peers.seen(OWN, PEER) == Seen("away", "lunch")
    for name in "bca":
        world.leave(f"{PEER}/{name}")
    assert world.peers.seen(OWN, PEER) == Seen()
    assert world.resources[-1] == (f"{PEER}/a", False) and world.changes[-1] == (OWN, PEER)


async def test_an_error_or_unavailable_of_the_bare_address_ends_all_resources(world: World):
    for name in "ab":
        world.arrive(f"{PEER}/{name}")
    world.leave(PEER)
    assert world.peers.info(OWN, PEER).resources == ()
    assert {r for r in world.resources if not r[1]} == {(f"{PEER}/a", False), (f"{PEER}/b", False)}


async def test_what_it_can_do_is_told_to_whoever_remembers_it(world: World):
    told: list[tuple[str, str, bool, bool]] = []
    world.peers.on_able = lambda *able: told.append(able)
    world.arrive(f"{PEER}/r", ABLE.ver())
    assert world.peers.seen(OWN, PEER).able is None and told == [], "nothing is known yet"
    world.answer(world.sent.take()[0], ABLE)
    assert world.peers.seen(OWN, PEER).able == (True, True) and told == [(OWN, PEER, True, True)]
    world.leave(f"{PEER}/r")
    assert world.peers.seen(OWN, PEER) == Seen("offline", "", None)


async def test_a_peer_with_ever_new_hashes_is_asked_a_few_things_at_a_time(world: World):
    for number in range(10_000):
        world.arrive(f"{PEER}/r{number % 3}", f"hash{number}")
    queries = world.sent.take()
    assert len(queries) == len(world.requests) == len(world.peers._waiting) == module.MAX_QUERIES
    world.arrive(f"{PEER}/r0", ABLE.ver())
    assert world.sent == []
    world.answer(queries[0], None)
    (about_the_last,) = world.sent.take()
    world.answer(about_the_last, ABLE)
    assert world.features(f"{PEER}/r0") == ABLE.features, "in the end its last presence counts"


async def test_an_answer_about_what_it_was_before_does_not_count(world: World):
    world.arrive(f"{PEER}/r", DUMB.ver())
    world.arrive(f"{PEER}/r", ABLE.ver())
    about_dumb, about_able = world.sent.take()
    world.answer(about_able, ABLE)
    world.answer(about_dumb, DUMB)
    assert world.features(f"{PEER}/r") == ABLE.features


async def test_without_a_connection_nobody_waits_for_an_answer(world: World):
    world.sent.up = False
    world.arrive(f"{PEER}/r", ABLE.ver())
    await settle()
    assert world.peers._waiting == {} and world.peers._busy == {}
    world.sent.up = True
    world.arrive(f"{PEER}/r", ABLE.ver())
    assert len(world.sent) == 1


async def test_the_users_own_name_for_a_peer_counts_more_than_its_nickname(world: World):
    world.arrive(f"{PEER}/r", inner="<nick xmlns='http://jabber.org/protocol/nick'>B</nick>")
    assert world.peers.info(OWN, PEER).name == "B"
    world.peers.called = lambda own, peer: "Bobby" if (own, peer) == (OWN, PEER) else ""
    world.peers.renamed(OWN, PEER)
    assert world.peers.info(OWN, PEER).name == world.peers.name(OWN, PEER) == "Bobby"


async def test_a_peer_that_is_forgotten_is_offline(world: World):
    world.arrive(f"{PEER}/r")
    world.changes.clear()
    world.peers.forget(OWN, PEER)
    assert world.changes == [(OWN, PEER)] and world.resources[-1] == (f"{PEER}/r", False) and world.peers.seen(OWN, PEER) == Seen()


async def test_presence_is_of_one_user_only(world: World):
    world.arrive(f"{PEER}/r", own=OWN)
    assert world.peers.seen(f"other@{DOMAIN}", PEER).presence == "offline"


async def test_resources_and_texts_are_bounded(world: World):
    nick = "<nick xmlns='http://jabber.org/protocol/nick'>" + "n" * 500 + "</nick>"
    for number in range(module.MAX_RESOURCES + 5):
        world.arrive(f"{PEER}/{number}", inner=f"<status>{'s' * 5000}</status><priority>999</priority>{nick}")
    info = world.peers.info(OWN, PEER)
    assert len(info.resources) == module.MAX_RESOURCES and len(info.name) == 128
    assert len(world.peers.seen(OWN, PEER).status) == 1024 and info.resources[0].priority == 127


async def test_an_answer_for_somebody_who_left_is_kept_for_the_hash_only(world: World):
    world.arrive(f"{PEER}/r", ABLE.ver())
    world.leave(f"{PEER}/r")
    world.answer(world.sent.take()[0], ABLE)
    assert world.peers.info(OWN, PEER).resources == ()
    world.arrive(f"{PEER}/r", ABLE.ver())
    assert world.features(f"{PEER}/r") == ABLE.features


async def test_features_survive_a_new_presence_without_caps(world: World):
    world.arrive(f"{PEER}/r", ABLE.ver())
    world.answer(world.sent.take()[0], ABLE)
    world.arrive(f"{PEER}/r", inner="<show>away</show>")
    assert world.features(f"{PEER}/r") == ABLE.features


async def test_a_lost_stream_makes_everybody_unknown_and_says_so(world: World):
    world.arrive(f"{PEER}/r", ABLE.ver())
    world.answer(world.sent.take()[0], ABLE)
    world.changes.clear()
    world.peers.forget_all()
    assert world.changes == [(OWN, PEER)] and world.peers.seen(OWN, PEER).presence == "offline"
    world.arrive(f"{PEER}/r", ABLE.ver())
    assert world.sent == [] and world.features(f"{PEER}/r") == ABLE.features, "a verified hash stays true"


async def test_a_user_who_left_leaves_nothing_behind(world: World):
    other = f"other@{DOMAIN}"
    for own in (OWN, other):
        world.arrive(f"{PEER}/r", ABLE.ver(), own=own, inner="<nick xmlns='http://jabber.org/protocol/nick'>B</nick>")
    world.answer(world.sent.take()[0], ABLE)
    world.peers.forget_user(OWN)
    assert world.peers.seen(OWN, PEER) == Seen() and world.peers.info(OWN, PEER).name == ""
    assert world.peers.seen(other, PEER).presence == "available"


def test_the_fixture_itself_builds_stanzas():
    assert el("<presence/>").tag.endswith("presence")
