"""STUN and TURN come from the XMPP server, asked for the web user by XEP-0215, and are really used."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import sync_playwright

from jinglebridge.demo.lab import Ejabberd

from .bridge import BridgeProcess
from .browser import person
from .servers import HandsetFactory, unique_user

USED = """async () => {
  const stats = [...(await window.jinglebridge.call.peerConnection.getStats()).values()]
  const pair = stats.find((r) => r.type === 'candidate-pair' && r.nominated && r.state === 'succeeded')
  return stats.find((r) => r.id === pair.localCandidateId).candidateType
}"""


def test_relay_only_call_goes_through_the_servers_turn(ejabberd: Ejabberd, handset: HandsetFactory, tmp_path: Path) -> None:
    bridge = BridgeProcess(tmp_path / "bridge", ejabberd, turn={"relay_only": True})
    try:
        echo = handset(ejabberd, unique_user("echo"), "--tone", "1100")
        with sync_playwright() as playwright, person(playwright, tmp_path) as alice:
            alice.open(bridge.link(unique_user("alice"), echo.jid))
            assert alice.page.evaluate("window.jinglebridge.bridge.warnings") == []
            alice.press(f"Call {echo.jid.partition('@')[0]}")
            alice.connected()
            alice.plays(video=False)
            alice.hears_tone(1100)
            assert alice.page.evaluate(USED) == "relay"
            sent = [entry["xml"] for entry in echo.report()["log"] if entry["dir"] == "in" and entry["what"] == "transport-info"]
            assert sent
            assert all("type='relay'" in xml or 'type="relay"' in xml for xml in sent), "relay-only hides all other addresses"
            alice.press("Hang up")
            assert echo.wait("ended")["reason"] == "peer: success"
            assert alice.problems == []
    finally:
        bridge.close()
