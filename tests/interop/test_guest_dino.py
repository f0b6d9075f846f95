"""A guest link made in the chat of a real Dino, opened in a fresh Chromium, rings that Dino and connects through TURN only.

Needs root: see dino/namespace.py.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from .bridge import BridgeProcess, wait_for
from .browser import Person, person
from .dino.client import Dino
from .dino.lab import lab
from .servers import skipped_when_missing
from .test_contact import two_tones

pytestmark = pytest.mark.timeout(240)  # with the start of everything

TONES = two_tones()  # of the page, of Dino
BODY = "{jabber:client}body"

PATH = """async () => {
  const stats = [...(await window.jinglebridge.call.peerConnection.getStats()).values()]
  const pair = stats.find((r) => r.type === 'candidate-pair' && r.nominated && r.state === 'succeeded')
  const local = stats.filter((r) => r.type === 'local-candidate').map((r) => r.candidateType)
  return { used: stats.find((r) => r.id === pair.localCandidateId).candidateType, local }
}"""


@pytest.fixture(scope="module")
def dino(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dino]:
    with skipped_when_missing(), lab(tmp_path_factory.mktemp("dino"), TONES[1]) as dino:
        yield dino


@pytest.fixture(scope="module")
def bridge(dino: Dino, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    bridge = BridgeProcess(tmp_path_factory.mktemp("bridge"), dino.server, limits={"ring": 20.0})
    yield bridge
    bridge.close()


@pytest.fixture(scope="module")
def chromium(dino: Dino, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with sync_playwright() as playwright, person(playwright, tmp_path_factory.mktemp("anna"), TONES[0]) as p:
        yield p


def says(dino: Dino, to: str, line: str) -> str:
    """The person writes a line in Dino's chat with `to`; what comes back."""
    since = dino.mark()

    def bodies(direction: str) -> list[str]:
        found = [s for d, s in dino.stanzas(since) if d == direction and s.tag.endswith("message")]
        other = "to" if direction == "OUT" else "from"
        return [body for s in found if s.get(other, "").partition("/")[0] == to and (body := text_of(s))]

    dino.desktop.run("gapplication", "launch", "im.dino.Dino", f"xmpp:{to}?message")
    for _ in range(3):
        dino.desktop.run("xdotool", "sleep", "0.7", "type", "--delay", "25", line)
        dino.desktop.run("xdotool", "key", "Return")
        try:
            wait_for(f"Dino sends {line!r}", lambda: bodies("OUT"), 5)
            break
        except AssertionError:
            continue
    assert bodies("OUT") == [line]
    answers: list[str] = wait_for(f"the gateway answers {line!r}", lambda: bodies("IN"))
    return answers[0]


def text_of(message: ET.Element) -> str:
    """Of a message as Dino prints it: indented."""
    body = next((child.text or "" for child in message if child.tag.endswith("body")), "")
    return "\n".join(line.strip() for line in body.strip().splitlines())


def test_a_link_from_dinos_chat_rings_dino_through_turn_only(bridge: BridgeProcess, dino: Dino, chromium: Person) -> None:
    gateway = dino.server.component
    answer = says(dino, gateway, "link Shop audio 2 days")
    (url,) = [word for word in answer.split() if word.startswith(bridge.url)]
    since = dino.mark()
    page = chromium.page
    page.goto(url)
    chromium.sees(f"Call {dino.name}")
    chromium.sees("Shop")
    assert "guest-" not in bridge.command("link", "list").stdout and not bridge.calls(), "opening it does nothing"
    page.get_by_label("Your name").fill("Anna Blume")
    for press in ("Call", "Call again", "Call again"):  # Dino's microphone does not start in about one of forty calls: see test_dino.py
        chromium.press(press)
        ring = dino.desktop.notified(lambda n: n.get("title", "").startswith("guest-anna-blume-") and "reject" in n["actions"])
        assert ring["body"] == "Incoming call"
        dino.accepts(ring)
        chromium.connected()
        if dino.takes_microphone(since):
            break
        chromium.press("Hang up")
        dino.closes_the_window()
    path: dict[str, Any] = page.evaluate(PATH)
    assert path["used"] == "relay" and set(path["local"]) == {"relay"}, path
    chromium.plays(video=False)
    chromium.hears_tone(TONES[1])
    dino.hears_tone(TONES[0])
    chromium.media_grows(video=False)
    told = [text_of(s) for d, s in dino.stanzas(since) if d == "IN" and s.get("from", "").partition("/")[0] == gateway and text_of(s)]
    assert len(told) == 1 and told[0].startswith("Anna Blume calls you by your guest link “Shop”"), told
    seen = [ET.tostring(s, encoding="unicode") for d, s in dino.stanzas(since) if d == "IN"]
    assert any("<candidate" in xml or ":candidate" in xml for xml in seen)
    assert not any('type="host"' in xml or 'type="srflx"' in xml for xml in seen), "the guest's own address is not shown"
    chromium.press("Hang up")
    chromium.offers("Call again")
    dino.closes_the_window()
    assert "“Shop”" in says(dino, gateway, "revoke Shop")
    chromium.press("Call again")
    chromium.sees("This link does not work")
    assert [p for p in chromium.problems if "404" not in p] == []
