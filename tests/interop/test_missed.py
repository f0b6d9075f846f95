"""Who missed a call hears of it, once: through real servers. Issue "People", item 8; J-256."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jinglebridge.demo.lab import Ejabberd, Prosody
from tests.unit.cases import small

from .bridge import BridgeProcess
from .raw import CLIENT
from .servers import unique_user
from .test_people import ImUser, pages

pytestmark = pytest.mark.timeout(60)
OFFER = {"type": "offer", "sdp": small()}
BODY = f"{CLIENT}body"
Server = Ejabberd | Prosody


@pytest.fixture(params=["ejabberd", "prosody"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def bridge(server: Server, tmp_path: Path) -> Iterator[BridgeProcess]:
    bridge = BridgeProcess(tmp_path / "bridge", server)
    yield bridge
    bridge.close()


async def test_an_im_user_who_was_away_finds_one_message(server: Server, bridge: BridgeProcess) -> None:
    """Nobody was there, so nobody's client can say that it rang: the server keeps one message with the caller's name."""
    user = unique_user("moira")
    with ImUser(server, user) as moira:
        jid = moira.jid
    async with pages(bridge) as open:
        page = await open.open(token=bridge.token(unique_user("wanda"), jid, name="Wanda W."))
        assert await page.do("call", call="c1", to=jid, description=OFFER) == "ack"
        assert await page.do("hangup", call="c1") == "ack"
        await page.socket.send_str('{"type":"history","id":"h"}')
        listed = await page.hear("history")
        assert [(c["call"], c["with"], c["answered"], c["reason"]) for c in listed["calls"]] == [("c1", jid, False, "cancelled")]
        with ImUser(server, user, register=False) as moira:
            kept = moira.look(lambda e: e.tag == f"{CLIENT}message" and e.find(BODY) is not None, 5.0)
            assert kept is not None and kept.findtext(BODY) == "Missed call from Wanda W." and kept.get("from") == page.jid
            assert moira.look(lambda e: e.tag == f"{CLIENT}message" and e.find(BODY) is not None, 0.5) is None, "one is enough"


async def test_a_web_user_who_was_away_finds_it_in_the_list(server: Server, bridge: BridgeProcess) -> None:
    async with pages(bridge) as open:
        user = unique_user("wanda")
        with ImUser(server, unique_user("rosa")) as rosa:
            page = await open.person(user, rosa.jid)
            await page.do("bye")
            audio = "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/>"
            propose = f"<propose xmlns='urn:xmpp:jingle-message:0' id='p1'>{audio}</propose>"
            rosa.send(f"<message type='chat' to='{page.jid}' id='m1'>{propose}</message>")
            retract = "<retract xmlns='urn:xmpp:jingle-message:0' id='p1'/>"
            rosa.send(f"<message type='chat' to='{page.jid}' id='m2'>{retract}</message>")
            rosa.look(seconds=0.5)
            page = await open.person(user, rosa.jid)
            await page.socket.send_str('{"type":"history","id":"h"}')
            listed = await page.hear("history")
            assert [(c["with"], c["direction"], c["answered"], c["reason"]) for c in listed["calls"]] == [
                (rosa.jid, "in", False, "no-answer")
            ]
