"""The XMPP server dies without warning: the bridge is back by itself, and an idle page never notices more than a pause."""

from __future__ import annotations

import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from jinglebridge.demo.lab import Ejabberd

from .bridge import BridgeProcess, wait_for
from .browser import person
from .servers import HandsetFactory, unique_user
from .test_contact import hears, two_tones

BACK_WITHIN = 5.0  # seconds after the server answers again; DESIGN §5


def test_bridge_is_back_within_five_seconds_of_the_server(own_ejabberd: Ejabberd, handset: HandsetFactory, tmp_path: Path) -> None:
    bridge = BridgeProcess(tmp_path / "bridge", own_ejabberd)
    try:
        echo = handset(own_ejabberd, "echo", "--tone", "900")
        with sync_playwright() as playwright, person(playwright, tmp_path, 500) as alice:
            alice.open(bridge.link(unique_user("alice"), echo.jid))
            alice.sees("Online")
            time.sleep(4.0)  # ejabberd's roster is a dets table, which writes up to 3 s late: a kill would lose the acquaintance
            own_ejabberd.kill9()
            wait_for("the bridge says that it is not ready", lambda: bridge.http("/readyz")[0] == 503)
            assert bridge.http("/healthz")[0] == 200
            alice.sees("Presence not shared|Offline")
            alice.press("Call echo")
            alice.sees("no connection to the chat server")
            own_ejabberd.start()
            began = time.monotonic()
            wait_for("the bridge is ready again", bridge.ready, BACK_WITHIN)
            assert time.monotonic() - began < BACK_WITHIN
            alice.sees("Online")  # the contact came back too, and its presence was asked for
            alice.press("Call echo")
            alice.connected()
            alice.plays(video=False)
            alice.hears_tone(900)
            alice.press("Hang up")
            assert echo.wait("ended")["reason"] == "peer: success"
    finally:
        bridge.close()


def test_a_call_outlives_the_server(own_ejabberd: Ejabberd, handset: HandsetFactory, tmp_path: Path) -> None:
    """Media needs no server. The page stays connected to the bridge; once the contact is there again, the hang-up reaches it."""
    tones = two_tones()
    bridge = BridgeProcess(tmp_path / "bridge", own_ejabberd)
    try:
        echo = handset(own_ejabberd, "echo", "--tone", str(tones[1]))
        with sync_playwright() as playwright, person(playwright, tmp_path, tones[0]) as alice:
            alice.open(bridge.link(unique_user("alice"), echo.jid))
            alice.sees("Online")
            alice.press("Call echo")
            alice.connected()
            own_ejabberd.kill9()
            wait_for("the bridge says that it is not ready", lambda: bridge.http("/readyz")[0] == 503)
            alice.media_grows(video=False)
            own_ejabberd.start()
            wait_for("the bridge is ready again", bridge.ready, BACK_WITHIN)
            alice.hears_tone(tones[1])
            echo.until(hears(tones[0]))
            alice.press("Hang up")
            assert echo.wait("ended", timeout=30.0)["reason"].startswith("peer:")
            alice.sees("Call with echo ended")
            wait_for("nothing is left", lambda: bridge.calls() == [], 30.0)
    finally:
        bridge.close()
