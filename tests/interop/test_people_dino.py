"""Real Dino and a real page become contacts, and see each other come and go. Needs root: see dino/namespace.py."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from .bridge import BridgeProcess, wait_for
from .browser import Person, person
from .dino.client import Dino
from .dino.lab import lab
from .servers import skipped_when_missing, unique_user
from .test_contact import two_tones

pytestmark = pytest.mark.timeout(240)  # with the start of everything

TONES = two_tones()  # of the page, of Dino

# A picture that Dino can draw, set as the person's; its name in XMPP.
SETS_PICTURE = """async () => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 96, height: 96 })
  const paint = canvas.getContext('2d')
  paint.fillStyle = '#c04'
  paint.fillRect(0, 0, 96, 96)
  const blob = await new Promise((done) => canvas.toBlob(done, 'image/png'))
  await window.jinglebridge.bridge.setAvatar(blob)
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-1', await blob.arrayBuffer()))
  return [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}"""


@pytest.fixture(scope="module", params=["ejabberd", pytest.param("prosody", marks=pytest.mark.long)])
def dino(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dino]:
    with skipped_when_missing(), lab(tmp_path_factory.mktemp("dino"), TONES[1], prosody=request.param == "prosody") as dino:
        yield dino


@pytest.fixture(scope="module")
def bridge(dino: Dino, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    bridge = BridgeProcess(tmp_path_factory.mktemp("bridge"), dino.server, limits={"linger": 2.0})
    yield bridge
    bridge.close()


@pytest.fixture(scope="module")
def page(dino: Dino, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    folder: Path = tmp_path_factory.mktemp("wanda")
    with sync_playwright() as playwright, person(playwright, folder, TONES[0]) as p:
        yield p


def sees(dino: Dino, jid: str, since: int, presence: str, patience: float = 20.0) -> None:
    wait_for(f"Dino sees {jid} {presence}", lambda: dino.presences(jid, since)[-1:] == [presence], patience)


def test_dino_adds_a_web_user_who_allows_it(bridge: BridgeProcess, page: Person, dino: Dino) -> None:
    user = unique_user("wanda")
    jid = bridge.jid(user)
    page.open(bridge.link(user))
    since = dino.mark()
    dino.adds(jid)
    page.press(f"Allow {dino.jid}")
    sees(dino, jid, since, "available")
    dino.befriends(jid)  # the page asks back
    page.sees("Online")

    hash = page.page.evaluate(SETS_PICTURE)
    page.page.get_by_label("Your status").select_option("dnd")
    sees(dino, jid, since, "dnd")
    page.page.get_by_label("Your status").select_option("available")
    sees(dino, jid, since, "available")

    dino.calls(jid, video=False)  # the button is there
    page.press("Accept")
    page.connected()
    page.press("Hang up")
    page.sees(f"Call with {dino.name} ended")
    dino.closes_the_window()
    wait_for("Dino shows the picture", lambda: dino.has_picture(hash))

    page.page.goto("about:blank")
    sees(dino, jid, since, "unavailable")
    page.open(bridge.link(user))
    page.sees("Online")
    sees(dino, jid, since, "available")

    since = dino.mark()
    bridge.signal(signal.SIGKILL)
    bridge.start()
    sees(dino, jid, since, "available", 5.0)
    page.sees("Online")


def test_the_web_user_adds_dino_who_accepts(bridge: BridgeProcess, page: Person, dino: Dino) -> None:
    user = unique_user("wendy")
    jid = bridge.jid(user)
    since = dino.mark()
    page.open(bridge.link(user))
    page.page.get_by_label("Add somebody by address").fill(dino.jid)
    page.page.keyboard.press("Enter")
    page.sees(f"{dino.jid} was asked")
    dino.befriends(jid)
    page.sees("Online")
    sees(dino, jid, since, "available")
    page.page.get_by_label(f"More about {dino.name}").press("Enter")
    page.page.get_by_role("button", name=f"Remove {dino.name}").press("Enter")
    page.sees("Nobody is here yet")
    sees(dino, jid, since, "unavailable")
    assert page.problems == []


@pytest.mark.long
def test_dino_sees_the_truth_after_its_server_died(bridge: BridgeProcess, page: Person, dino: Dino) -> None:
    user = unique_user("wilma")
    jid = bridge.jid(user)
    page.open(bridge.link(user))
    dino.adds(jid)
    page.press(f"Allow {dino.jid}")
    dino.befriends(jid)
    page.sees("Online")
    page.page.wait_for_timeout(4000)  # ejabberd's roster is a dets table, which writes up to 3 s late
    since = dino.mark()
    dino.server.kill9()
    bridge.signal(signal.SIGKILL)
    dino.server.start()
    bridge.start()
    wait_for("Dino is back", lambda: dino.online(since), 120)
    sees(dino, jid, since, "available", 5.0)
    page.sees("Online")
