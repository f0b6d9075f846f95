"""Proof of an XMPP address: the address says yes or its owner types a code, and nothing else tells anything. XEP-0070; DESIGN §2 (b)."""

from __future__ import annotations

import asyncio
import re
import time

import pytest

from jinglebridge.calls.people import Device
from jinglebridge.errors import EndpointError
from jinglebridge.service import proof as module
from jinglebridge.service.devices import Devices
from jinglebridge.service.proof import CONFIRM, MAX_TRIES, PER_ADDRESS, PER_DOMAIN, PER_JID, Proofs
from jinglebridge.store.memory import MemoryStore
from jinglebridge.web.proofs import Answer
from jinglebridge.xmpp.stanza import NS
from tests.unit.fakes import DOMAIN, el, logged, routed, settle

ANNA = "anna@im.test"
HERE = "192.0.2.1"
BODY = f"{{{NS}}}body"
NOT_AUTHORIZED = "<error type='auth'><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
GONE = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"


class World:
    def __init__(self) -> None:
        self.now = time.time()
        self.router, self.sent, _ = routed()
        self.store, self.online = MemoryStore(), True
        self.devices = Devices(self.store, DOMAIN, self.clock)
        self.proofs = Proofs(
            self.devices, self.sent, lambda: self.online, self.clock,
            domain=DOMAIN, url="https://call.test", servers=frozenset({"im.test", "other.test"}),
        )  # fmt: skip
        self.proofs.register(self.router)

    def clock(self) -> float:
        return self.now

    def begin(self, jid: str = ANNA, address: str = HERE) -> tuple[str, str, str]:
        """(handle, words, code) of a new proof."""
        begun = self.proofs.begin(jid, "Firefox", address)
        (message,) = self.sent.take()
        found = re.search(r"(\d{4}) (\d{4})$", (message.findtext(BODY) or "").splitlines()[0])
        assert found is not None
        return begun.proof, begun.words, found[1] + found[2]

    def refused(self, jid: str = ANNA, address: str = HERE) -> str:
        with pytest.raises(EndpointError) as caught:
            self.proofs.begin(jid, "", address)
        assert self.sent.take() == []
        return caught.value.code

    def says(self, words: str, *, sender: str = f"{ANNA}/phone", to: str = DOMAIN, type: str = "", more: str = "", body: str = "") -> None:
        kind = f" type='{type}'" if type else ""
        confirm = f"<confirm xmlns='http://jabber.org/protocol/http-auth' id='{words}' method='POST' url='https://call.test/'/>"
        self.router.route(el(f"<message from='{sender}' to='{to}'{kind}>{body}{confirm}{more}</message>"))

    async def waits(self, handle: str) -> asyncio.Task[Answer]:
        task = asyncio.create_task(self.proofs.answer(handle, None))
        await settle()
        return task

    def users(self) -> list[str]:
        return [device.user for device in self.store.rows(Device)]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(module, "WAIT", 0.01)
    return World()


async def test_what_the_address_is_asked(world: World):
    begun = world.proofs.begin(" Anna@IM.test/phone ", "", HERE)
    (message,) = world.sent.take()
    assert (message.get("from"), message.get("to"), message.get("type")) == (DOMAIN, ANNA, "chat")
    confirm, text = message.find(CONFIRM), message.findtext(BODY) or ""
    assert confirm is not None and confirm.attrib == {"id": begun.words, "method": "POST", "url": "https://call.test/"}
    assert "https://call.test" in text and begun.words in text and "UTC" in text and "do nothing" in text
    assert begun.proof not in text, "the handle is the page's alone"
    assert message.find("{urn:xmpp:hints}no-permanent-store") is not None and message.find("{urn:xmpp:hints}no-store") is None
    assert message.find(f"{{{NS}}}subject") is None and len(begun.proof) >= 32 and begun.expires == 300


async def test_yes_by_xep_0070(world: World):
    handle, words, _ = world.begin()
    assert (await world.proofs.answer(handle, None)).state == "waiting"
    waiting = await world.waits(handle)
    world.says(words, body="<body>OK</body>")
    answer = await waiting
    assert answer.state == "confirmed" and world.users() == ["anna\\40im.test"]
    identity = world.devices.admit(answer.device)
    assert (identity.user, identity.name, identity.named, identity.contacts) == ("anna\\40im.test", "anna", True, (ANNA,))
    assert (await world.proofs.answer(handle, None)).device == answer.device, "an answer may get lost"
    assert (await world.proofs.answer(handle, "wrong")).device == answer.device
    world.says(words)
    assert len(world.users()) == 1, "a second yes makes no second device"
    world.now += module.LIFETIME
    assert (await world.proofs.answer(handle, None)).state == "over"


async def test_yes_by_the_code(world: World):
    handle, _, code = world.begin()
    waiting = await world.waits(handle)
    assert (await world.proofs.answer(handle, "0000" if code != "0000" else "1")).state == "wrong"
    answer = await world.proofs.answer(handle, f" {code[:4]}-{code[4:]} ")
    assert answer.state == "confirmed" and (await waiting).device == answer.device
    assert world.devices.admit(answer.device).user == "anna\\40im.test"
    assert world.store.rows(Device)[0].label == "Firefox" and world.store.rows(Device)[0].by == "address"


@pytest.mark.parametrize(
    "how",
    [
        {"sender": "eve@im.test/x"},
        {"sender": f"anna@{DOMAIN}/w"},
        {"sender": "anna@im.test.evil.test"},
        {"sender": DOMAIN},
        {"to": f"anna\\40im.test@{DOMAIN}"},
        {"to": f"{DOMAIN}/x"},
        {"type": "groupchat"},
        {"type": "error", "more": NOT_AUTHORIZED},
        {"type": "error", "more": GONE},
        {"type": "error"},
        {"words": "AAAA-AAAA"},
        {"words": ""},
    ],
)
async def test_what_is_no_yes(world: World, how: dict[str, str]):
    handle, words, _ = world.begin()
    world.says(how.pop("words", words), **how)
    assert (await world.proofs.answer(handle, None)).state == "waiting" and world.users() == []


async def test_nothing_shows_what_became_of_the_message(world: World):
    """The address does not exist, its server is gone, its owner said no, or does not look: the page sees the same. J-252."""
    handles = {kind: world.begin(f"{kind}@im.test", f"192.0.2.{n}") for n, kind in enumerate(("silent", "gone", "denied"))}
    world.says(handles["gone"][1], sender="gone@im.test", type="error", more=GONE)
    world.says(handles["denied"][1], sender="denied@im.test/x", type="error", more=NOT_AUTHORIZED)
    seen = []
    for handle, _, code in handles.values():
        wrong = "0" * 8 if code != "0" * 8 else "1" * 8
        answers = [await world.proofs.answer(handle, None), *[await world.proofs.answer(handle, wrong) for _ in range(7)]]
        answers.append(await world.proofs.answer(handle, None))
        world.now += module.LIFETIME
        answers.append(await world.proofs.answer(handle, None))
        world.now -= module.LIFETIME
        seen.append(answers)
    assert seen[0] == seen[1] == seen[2]
    assert [(a.state, a.left) for a in seen[0]] == [
        ("waiting", None), *[("wrong", left) for left in (4, 3, 2, 1, 0, 0, 0)], ("waiting", None), ("over", None),
    ]  # fmt: skip


async def test_a_blocked_address_is_not_asked_and_the_page_sees_no_difference(world: World):
    world.devices.blocked = "anna@im.test".__eq__
    begun = world.proofs.begin(ANNA, "", HERE)
    assert world.sent.take() == [] and (await world.proofs.answer(begun.proof, None)).state == "waiting"


async def test_after_a_no_the_code_is_good_for_nothing_and_the_address_is_left_alone(world: World):
    handle, words, code = world.begin()
    world.says(words, type="error", more=NOT_AUTHORIZED)
    world.says(words)
    assert (await world.proofs.answer(handle, code)).state == "wrong" and world.users() == []
    assert world.refused(address="192.0.2.9") == "rate-limited"
    world.now += module.HOUR
    world.begin()


async def test_guessed_codes(world: World):
    handle, words, code = world.begin()
    for n in range(MAX_TRIES):
        assert (await world.proofs.answer(handle, f"{(int(code) + 1 + n) % 10**8:08}")).left == MAX_TRIES - 1 - n
    assert (await world.proofs.answer(handle, code)) == Answer(state="wrong", left=0)
    world.says(words)
    assert world.users() == [], "who let somebody guess so often is not let in by a late yes either"


@pytest.mark.parametrize("code", ["", "x", "1" * 64, "\u0661" * 8, "é", " "])
async def test_codes_that_are_none(world: World, code: str):
    handle, _, _ = world.begin()
    assert (await world.proofs.answer(handle, code)).state == "wrong"


async def test_unknown_handles(world: World):
    handle, _, code = world.begin()
    for wrong in ("", "x", handle + "x", handle[:-1]):
        assert (await world.proofs.answer(wrong, code)) == (await world.proofs.answer(wrong, None)) == Answer(state="over")


@pytest.mark.parametrize(
    ("jid", "code"),
    [
        ("", "unknown-contact"), ("anna", "unknown-contact"), ("im.test", "unknown-contact"), ("@im.test", "unknown-contact"),
        ("a b@im.test", "unknown-contact"), ("a@b@im.test", "unknown-contact"), ("a" * 257 + "@im.test", "unknown-contact"),
        ("a" * 3071, "unknown-contact"), ("\x00@im.test", "unknown-contact"), ("anna@evil.test", "forbidden"),
        (f"anna@{DOMAIN}", "forbidden"), ("anna@im.test.evil.test", "forbidden"), ("anna@sub.im.test", "forbidden"),
    ],
)  # fmt: skip
def test_addresses_that_cannot_be_proved(world: World, jid: str, code: str):
    assert world.refused(jid) == code


def test_where_no_address_can_be_proved(world: World):
    world.proofs._servers = frozenset()
    assert world.refused() == "forbidden"


def test_nobody_is_flooded(world: World):
    """By one visitor, by many visitors, and by many addresses of one server; other servers go on."""
    for n in range(PER_JID):
        world.begin(address=f"192.0.2.{n}")
    assert world.refused(address="192.0.2.99") == world.refused("ANNA@im.test/x", address="192.0.2.98") == "rate-limited"
    for n in range(PER_ADDRESS):
        world.begin(f"u{n}@other.test", "2001:db8::1")
    assert world.refused("u99@other.test", "2001:db8::2") == "rate-limited", "the same client with another of its addresses"
    world.now += 61
    for n in range(PER_DOMAIN):
        world.begin(f"u{n}@im.test", f"198.51.{n}.1")
    assert world.refused("u999@im.test", "203.0.113.1") == "rate-limited"
    world.begin("u999@other.test", "203.0.113.1")
    world.now += 61
    world.begin("u999@im.test", "203.0.113.1")
    world.now += module.HOUR
    world.begin()
    world.proofs.sweep(world.now + module.HOUR)
    assert not world.proofs._open and not world.proofs._by_jid.seen


def test_there_are_so_many_at_once(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_OPEN", 2)
    world.begin("a@im.test"), world.begin("b@im.test")
    assert world.refused("c@im.test") == "rate-limited"
    world.now += module.LIFETIME
    world.begin("c@im.test")


def test_without_a_server_nothing_is_counted(world: World):
    world.online = False
    for _ in range(10):
        assert world.refused() == "unavailable"
    world.online, world.sent.up = True, False
    assert world.refused() == "unavailable" and not world.proofs._open
    world.sent.up = True
    world.begin()


async def test_who_waits_in_many_places_is_answered_at_once(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "WAIT", 30.0)
    handle, words, _ = world.begin()
    tasks = [await world.waits(handle) for _ in range(5)]
    assert [t.done() for t in tasks] == [False, False, True, True, True] and tasks[2].result().state == "waiting"
    world.says(words)
    assert {(await t).state for t in tasks[:2]} == {"confirmed"}


async def test_no_secret_is_logged(world: World):
    with logged() as lines:
        handle, words, code = world.begin()
        await world.proofs.answer(handle, "1")
        world.says(words)
        device = (await world.proofs.answer(handle, None)).device
    assert not any(secret in repr(lines) for secret in (handle, code, device)) and "proof-succeeded" in repr(lines)
