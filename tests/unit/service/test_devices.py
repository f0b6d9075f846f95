"""Device credentials: made, used, listed, revoked, forgotten. DESIGN §2 (b)."""

from __future__ import annotations

from typing import Any

import pytest

from jinglebridge.calls.people import Device
from jinglebridge.errors import EndpointError
from jinglebridge.service import devices as module
from jinglebridge.service.devices import LIFETIME, MAX_DEVICES, Devices, operate, user_of
from jinglebridge.store.memory import MemoryStore
from jinglebridge.web import messages as m
from jinglebridge.web.tokens import Identity
from tests.unit.cases import small
from tests.unit.fakes import DOMAIN, el, logged, settle
from tests.unit.service.world import World

DAY = 86400.0


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def devices(store: MemoryStore, clock: Clock) -> Devices:
    return Devices(store, DOMAIN, clock)


def refused(devices: Devices, secret: str) -> bool:
    with pytest.raises(EndpointError) as caught:
        devices.admit(secret)
    return caught.value.code == "not-authorized" and (len(secret) < 8 or secret not in str(caught.value))


def test_what_is_made_lets_in_and_is_kept_as_a_hash(devices: Devices, store: MemoryStore, clock: Clock):
    with logged() as lines:
        device, secret = devices.invite("Anna B", name="Anna", label="laptop", contacts=["bob@im.test"])
    assert len(secret) >= 43 and secret not in repr(store.rows(Device)) + repr(lines)
    way = f"device:{device.id}"
    assert devices.admit(secret) == Identity("anna\\20b", "Anna", ("bob@im.test",), (), True, way)
    assert Devices(store, DOMAIN, clock).admit(secret).way == way, "also after a restart"
    _, plain = devices.invite("Anna B")
    assert (devices.admit(plain).name, devices.admit(plain).named) == ("anna b", False)


def test_a_label_is_one_line_of_what_can_be_seen(devices: Devices):
    """A page chose it; the operator's terminal and the owner's chat show it in a list."""
    device, _ = devices.create("anna", "address", label="Firefox\n0badcafe: \x9b31m\u202elaptop ")
    assert device.label == "Firefox 0badcafe: 31m laptop"


@pytest.mark.parametrize("name", ["guest-1", "echo", "ｅｃｈｏ", "a@b", "a\\40b", "", "a＠b", "x" * 300])
def test_names_that_nobody_may_have(devices: Devices, name: str):
    with pytest.raises(EndpointError):
        devices.invite(name)
    assert devices.all() == []


def test_wrong_ones(devices: Devices):
    device, secret = devices.invite("anna")
    for wrong in ("", "x", secret[:-1], secret + "x", device.hash, device.id, "é", "x" * 128):
        assert refused(devices, wrong)


def test_ninety_days_slide_and_the_last_use_is_known_to_the_hour(devices: Devices, store: MemoryStore, clock: Clock):
    device, secret = devices.invite("anna")
    clock.now += 60
    devices.admit(secret)
    assert store.rows(Device) == [device], "not written for each hello"
    for _ in range(3):
        clock.now += 80 * DAY
        devices.admit(secret)
    assert store.rows(Device)[0].used == clock.now
    clock.now += LIFETIME + 1
    assert refused(devices, secret) and devices.of("anna") == devices.all() == []
    devices.sweep([])
    assert store.rows(Device) == [] and device.id not in devices


def test_an_open_session_is_a_use(devices: Devices, clock: Clock):
    (here, secret), (gone, _) = devices.invite("anna"), devices.invite("anna")
    for _ in range(4):
        clock.now += 30 * DAY
        devices.sweep([f"device:{here.id}", f"device:{here.id}", "token", "link:x", "device:unknown"])
    assert here.id in devices and gone.id not in devices
    assert devices.admit(secret)


def test_revoked(devices: Devices, store: MemoryStore):
    ended: list[str] = []
    devices.end = ended.append
    (a, secret), (b, other) = devices.invite("anna"), devices.invite("anna")
    assert devices.revoke(a.id) and not devices.revoke(a.id) and not devices.revoke("unknown")
    assert refused(devices, secret) and devices.admit(other)
    devices.revoke(devices.create("bob", "operator")[0].id)
    assert "bob" not in devices._by_user and ended.pop() != f"device:{a.id}"
    assert ended == [f"device:{a.id}"] and [d.id for d in store.rows(Device)] == [b.id]


def test_an_address_that_the_operator_blocks_is_not_let_in(devices: Devices):
    _, secret = devices.create(user_of("eve@im.test"), "address")
    _, other = devices.create(user_of("anna@im.test"), "address")
    devices.blocked = "eve@im.test".__eq__
    assert refused(devices, secret) and devices.admit(other)


def test_a_person_has_so_many_and_the_least_used_gives_way(devices: Devices, clock: Clock):
    made = []
    for _ in range(MAX_DEVICES):
        clock.now += 1
        made.append(devices.create("anna", "operator"))
    other, _ = devices.create("bob", "operator")
    clock.now += 7200
    devices.admit(made[0][1])
    new, _ = devices.create("anna", "operator")
    assert made[1][0].id not in devices and made[0][0].id in devices and new.id in devices and other.id in devices
    assert len(devices.of("anna")) == MAX_DEVICES and [d.user for d in devices.all()].index("bob") == MAX_DEVICES


def test_ids_are_not_given_twice(devices: Devices, monkeypatch: pytest.MonkeyPatch):
    ids = iter(["aa", "aa", "bb"])
    monkeypatch.setattr(module.secrets, "token_hex", lambda size: next(ids))
    assert [devices.create("anna", "operator")[0].id for _ in range(2)] == ["aa", "bb"]


def test_texts_are_cut_and_cleaned(devices: Devices):
    device, _ = devices.invite("anna", name="n" * 500, label="\x00\ud800" + "l" * 500)
    assert device.name == "n" * 128 and "\x00" not in device.label and len(device.label) <= 128


def test_the_user_that_stands_for_an_address():
    assert user_of("anna@example.org") == "anna\\40example.org"
    assert user_of("d\\27art@x") == "d\\5c27art\\40x"


# --- the operator


def ask(devices: Devices, command: str, **arguments: Any) -> dict[str, Any]:
    return operate(devices, {"command": command, **arguments})


def test_what_the_operator_asks(devices: Devices):
    made = ask(devices, "device-create", name="Anna", display_name=None, label="pc", contacts=["b@x"])
    assert made["ok"] and devices.admit(made["credential"]).contacts == ("b@x",)
    ask(devices, "device-create", name="bob c")
    (anna, bob) = ask(devices, "devices")["devices"]
    assert (anna["user"], anna["label"], anna["by"], bob["user"]) == ("anna", "pc", "operator", "bob\\20c") and "hash" not in anna
    assert [d["id"] for name in ("bob c", "bob\\20c", "eve") for d in ask(devices, "devices", user=name)["devices"]] == [bob["id"]] * 2
    assert ask(devices, "device-revoke", id=anna["id"]) == {"ok": True}
    assert not ask(devices, "device-revoke", id=anna["id"])["ok"]
    assert "reserved" in ask(devices, "device-create", name="guest-1")["error"]


# --- pages


@pytest.fixture
def world() -> World:
    return World()


async def enter(world: World, user: str = "anna", **about: Any) -> tuple[Any, Any, str]:
    device, secret = world.devices.invite(user, **about)
    session, wire, _ = await world.hello(device=secret, token=None)
    return session, wire, device.id


async def test_a_page_lists_its_own_devices(world: World):
    session, wire, _ = await enter(world, label="here")
    world.devices.invite("anna", label="there")
    world.devices.invite("bob")
    world.desk.request(session, m.Devices(id="1"))
    (frame,) = wire.take("devices")
    assert {(d["label"], d["current"]) for d in frame["devices"]} == {("here", True), ("there", False)} and frame["id"] == "1"
    assert "hash" not in frame["devices"][0] and all(d["used"].endswith("+00:00") for d in frame["devices"])


async def test_a_page_signs_devices_of_its_own_out(world: World):
    session, wire, id = await enter(world)
    other, other_wire, other_id = await enter(world)
    _, bob_wire, bob_id = await enter(world, "bob")
    world.desk.request(session, m.DevicesRevoke(id="1", device=other_id))
    assert other_wire.closed is None, "after the ack"
    await settle()
    assert other_wire.closed == (4002, "revoked") and other.jid not in world.sessions.by_jid and wire.closed is None
    with pytest.raises(EndpointError) as caught:
        world.desk.request(session, m.DevicesRevoke(id="2", device=bob_id))
    assert caught.value.code == "forbidden" and bob_id in world.devices
    world.desk.request(session, m.DevicesRevoke(id="3"))
    await settle()
    assert wire.closed == (4002, "revoked") and id not in world.devices and bob_wire.closed is None
    assert [s.way for s in world.journal.sessions()] == [f"device:{bob_id}"]


async def test_who_came_by_a_token_has_no_device_of_their_own(world: World):
    session, wire, _ = await world.hello("anna")
    with pytest.raises(EndpointError):
        world.desk.request(session, m.DevicesRevoke(id="1"))
    world.desk.request(session, m.Devices(id="2"))
    assert wire.take("devices")[0]["devices"] == []


async def test_guests_have_no_devices(world: World):
    world.devices.invite("guest")
    for frame in (m.Devices(id="1"), m.DevicesRevoke(id="2")):
        with pytest.raises(EndpointError) as caught:
            world.devices.request(Identity("guest", "x", way="link:1"), frame)
        assert caught.value.code == "forbidden"


async def test_all_devices_of_a_person_ring(world: World):
    """And one that was signed out does not. DESIGN §2."""
    pages = [await enter(world, "anna", contacts=["bob@im.test"]) for _ in range(3)]
    world.devices.revoke(pages[0][2])
    bare = pages[1][0].bare
    world.router.route(
        el(
            f"<message from='bob@im.test/phone' to='{bare}' type='chat'><propose xmlns='urn:xmpp:jingle-message:0' id='call-1'>"
            "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose></message>"
        )
    )
    rung = [bool(wire.take("incoming")) for _, wire, _ in pages]
    assert rung == [False, True, True]


async def test_signing_a_device_out_ends_its_calls_and_no_others(world: World):
    (session, wire, id), (other, _, _) = [await enter(world, "anna", contacts=["bob@im.test"]) for _ in range(2)]
    offer = m.Description(type="offer", sdp=small())
    for page, call in ((session, "c1"), (other, "c2")):
        world.desk.request(page, m.CallRequest(id="1", call=call, to="bob@im.test", description=offer))
    world.sent.take()
    world.devices.revoke(id)
    stanzas = world.sent.take()
    retracted = [e for e in stanzas if e.find("{urn:xmpp:jingle-message:0}retract") is not None]
    gone = [e.get("from") for e in stanzas if e.tag.endswith("presence") and e.get("type") == "unavailable"]
    assert len(retracted) == 1 and session.jid in gone and other.jid not in gone
    assert [state.call for state in world.registry.calls.values()] == ["c2"] and wire.closed == (4002, "revoked")
