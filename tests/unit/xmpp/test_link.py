"""The life of the connection, against a small component server on loopback. J-003 … J-005, J-009; DESIGN §4, §5."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Callable

import pytest

from jinglebridge.demo.lab import free_port
from jinglebridge.xmpp import link as module
from jinglebridge.xmpp.component import Component
from jinglebridge.xmpp.link import NONCE, Address, Link, LinkError
from jinglebridge.xmpp.requests import Requests
from jinglebridge.xmpp.router import Router
from tests.unit.fake_xmpp import FakeServer
from tests.unit.fakes import DOMAIN, logged, until


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    fake = FakeServer()
    await fake.start()
    yield fake
    await fake.stop()


Make = Callable[..., Link]


@pytest.fixture
async def make(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """Links with short times, wired as the service wires them."""
    monkeypatch.setattr(module, "NONCE_WAIT", 0.3)
    monkeypatch.setattr(module, "HANDSHAKE_WITHIN", 0.3)
    made: list[Link] = []

    def build(port: int, start_timeout: float = 5.0) -> Link:
        component = Component(DOMAIN, "secret")
        link = Link(component, Address("127.0.0.1", port), start_timeout=start_timeout)
        router = Router(DOMAIN, component.send, Requests(component.send))
        router.message[NONCE] = link.nonce_received
        component.on_stanza = router.route
        made.append(link)
        return link

    yield build
    for link in made:
        await link.stop()


async def test_ten_nonces_come_back_and_the_bridge_is_ready(server: FakeServer, make: Make):
    link = make(server.port)
    ready: list[bool] = []

    async def on_ready() -> None:
        ready.append(link.ready)

    link.on_ready = on_ready
    await link.start()
    assert link.ready and ready == [True] and server.messages == module.NONCES


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("not-authorized", "refused the secret of component call.test.*secret"),
        ("host-unknown", "no component call.test"),
        ("conflict", "another bridge is connected as call.test"),
        ("invalid-namespace", "not a component port"),
    ],
)
async def test_what_the_operator_must_mend_ends_the_start_at_once(server: FakeServer, make: Make, condition: str, words: str):
    server.error = condition
    with pytest.raises(LinkError, match=words) as caught:
        await make(server.port).start()
    assert caught.value.exit_status == 3 and "\n" not in str(caught.value)
    assert len(server.connected_at) == 1, "never tried again: the server might block us"


async def test_other_stream_errors_are_tried_again_until_the_time_is_up(server: FakeServer, make: Make):
    server.error = "system-shutdown"
    with pytest.raises(LinkError, match="no XMPP server answers"):
        await make(server.port, 0.1).start()
    assert len(server.connected_at) >= 2


async def test_a_server_that_is_down_gets_a_clear_line(make: Make):
    port = free_port()
    with pytest.raises(LinkError, match=f"no XMPP server answers at 127.0.0.1:{port} .*start it"):
        await make(port, 0.1).start()


async def test_a_server_that_says_nothing_does_not_hang_us(server: FakeServer, make: Make):
    server.silent = True
    with pytest.raises(LinkError, match="no XMPP server answers"):
        await make(server.port, 0.1).start()


async def test_a_server_that_comes_up_in_time_is_used(make: Make):
    server = FakeServer()
    link = make(server.port)
    starting = asyncio.create_task(link.start())
    await asyncio.sleep(0.1)
    await server.start()
    await starting
    assert link.ready
    await server.stop()


async def test_one_lost_nonce_means_another_bridge(server: FakeServer, make: Make):
    server.lose = 1
    with pytest.raises(LinkError, match=r"another bridge is connected as call\.test") as caught:
        await make(server.port).start()
    assert caught.value.exit_status == 3


async def test_a_connection_lost_while_checking_is_not_taken_for_another_bridge(server: FakeServer, make: Make):
    server.drop_after_handshake = True
    link = make(server.port)
    await link.start()
    assert link.ready and len(server.connected_at) == 2


async def test_a_foreign_nonce_makes_it_not_ready_and_a_clean_check_ready_again(
    server: FakeServer, make: Make, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "DOUBT", 0.05)
    link = make(server.port)
    readies: list[int] = []

    async def on_ready() -> None:
        readies.append(server.messages)

    link.on_ready = on_ready
    await link.start()
    foreign = (
        f"<message from='self-check@{DOMAIN}/x' to='self-check@{DOMAIN}/x'>"
        "<nonce xmlns='urn:jinglebridge:self-check:0'>somebody.else</nonce></message>"
    )
    with logged() as lines:
        server.inject(foreign * 3)
        await until(lambda: not link.ready)
        await until(lambda: link.ready)
    assert [line["event"] for line in lines if line["log_level"] == "error"].count("another-bridge") == 1, "once, not per nonce"
    assert readies[0] == 10 and readies[1] >= 20


async def test_a_nonce_from_outside_means_nothing(server: FakeServer, make: Make):
    link = make(server.port)
    await link.start()
    server.inject(f"<message from='a@evil.test' to='{DOMAIN}'><nonce xmlns='urn:jinglebridge:self-check:0'>x</nonce></message>")
    server.inject(f"<message from='self-check@{DOMAIN}' to='{DOMAIN}'><nonce xmlns='urn:jinglebridge:self-check:0'/></message>")
    await until(lambda: not link.ready)  # the second one: an empty nonce of our own domain is not one of ours


async def test_a_missing_nonce_later_is_logged_and_forgiven(server: FakeServer, make: Make, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "CHECK_EVERY", 0.2)
    monkeypatch.setattr(module, "NONCE_WAIT", 0.1)
    link = make(server.port)
    await link.start()
    with logged() as lines:
        server.lose = 1
        await until(lambda: not link.ready)
        await until(lambda: link.ready)
    events = [line["event"] for line in lines]
    assert events.index("self-check-failed") < events.index("self-check-good-again")
    assert len(server.connected_at) == 1, "the connection was not touched"


async def test_a_dead_connection_is_cut_and_made_anew(server: FakeServer, make: Make, monkeypatch: pytest.MonkeyPatch):
    """No byte for two checks: J-009."""
    monkeypatch.setattr(module, "CHECK_EVERY", 0.05)
    monkeypatch.setattr(module, "NONCE_WAIT", 0.1)
    link = make(server.port)
    await link.start()
    server.lose = 10**6
    await until(lambda: len(server.connected_at) > 1)
    server.lose = 0
    await until(lambda: link.ready)


async def test_reconnects_are_jittered_and_everybody_is_told(server: FakeServer, make: Make):
    link = make(server.port)
    lost: list[bool] = []
    link.on_lost = lambda: lost.append(link.ready)
    await link.start()
    for count in range(2, 5):
        server.drop()
        await until(lambda: not link.ready)
        await until(lambda count=count: link.ready and len(server.connected_at) == count)
    gaps = [b - a for a, b in itertools.pairwise(server.connected_at)]
    assert all(0.2 <= gap <= 2.5 for gap in gaps) and len({round(gap, 3) for gap in gaps}) > 1
    assert lost == [False] * 3


async def test_a_server_that_stays_away_is_tried_about_once_a_second(server: FakeServer, make: Make, monkeypatch: pytest.MonkeyPatch):
    """Gaps between attempts lie within 0.2 … 2 s. DESIGN §5."""
    waits: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await real(0)

    link = make(server.port)
    await link.start()
    await server.stop()
    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    async with asyncio.timeout(5):
        while len(waits) < 41:
            await real(0.001)
    monkeypatch.undo()
    gaps = [a + b for a, b in zip(waits[1::2], waits[2::2], strict=False)][:20]
    assert all(0.2 <= gap <= 2.0 for gap in gaps) and len(set(gaps)) > 10


async def test_a_refusal_after_a_good_session_is_retried(server: FakeServer, make: Make):
    """A starting ejabberd may say not-authorized. DESIGN §5."""
    link = make(server.port)
    await link.start()
    server.error = "not-authorized"
    server.drop()
    with logged() as lines:
        await until(lambda: any(line["event"] == "reconnect-refused" for line in lines))
        server.error = ""
        await until(lambda: link.ready)


async def test_a_second_bridge_found_after_a_reconnect_keeps_us_waiting(server: FakeServer, make: Make, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "CHECK_EVERY", 0.3)
    link = make(server.port)
    await link.start()
    server.lose = 1
    server.drop()
    await until(lambda: server.lose == 0)
    assert not link.ready
    await until(lambda: link.ready)


async def test_stop_says_goodbye_and_does_not_reconnect(server: FakeServer, make: Make):
    link = make(server.port)
    lost: list[bool] = []
    link.on_lost = lambda: lost.append(True)
    await link.start()
    await link.stop()
    await asyncio.sleep(0)
    assert not link.ready and lost == [] and len(server.connected_at) == 1


async def test_a_loss_during_on_ready_of_the_start_is_told(server: FakeServer, make: Make):
    link = make(server.port)
    lost: list[bool] = []
    link.on_lost = lambda: lost.append(True)

    async def on_ready() -> None:
        server.drop()
        await until(lambda: not link.component.up)

    link.on_ready = on_ready
    await link.start()
    link.on_ready = None
    assert lost == [True]
    await until(lambda: link.ready)


def test_every_refusal_says_what_to_do():
    for text in module.FATAL.values():
        assert re.search("compare|add|stop|correct", text)
