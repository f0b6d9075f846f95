"""TURN of the operator's own, by the recipe: used when the server refuses, no way into private networks, no call outlives it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import aioice.stun
import aioice.turn
import pytest
from playwright.sync_api import sync_playwright

from jinglebridge.demo.lab import Prosody, recipe, replaced

from .bridge import BridgeProcess
from .browser import person
from .coturn import Coturn, Heard, coturn, leads_nowhere
from .servers import HandsetFactory, skipped_when_missing, unique_user
from .test_turn import USED


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coturn]:
    with skipped_when_missing(), coturn(tmp_path_factory.mktemp("coturn")) as made:
        yield made


def test_a_relayed_call_by_the_bridges_own_secret_ends_before_its_credentials_do(
    prosody: Prosody, handset: HandsetFactory, relay: Coturn, tmp_path: Path
) -> None:
    """Prosody tells a component of no TURN, so the bridge makes the credentials. DESIGN §5."""
    turn = {"urls": [relay.url], "secret": relay.secret, "relay_only": True, "lifetime": 60}
    bridge = BridgeProcess(tmp_path / "bridge", prosody, turn=turn, limits={"calls_per_minute": 1000, "call": 8})
    try:
        echo = handset(prosody, unique_user("echo"), "--tone", "1100")
        with sync_playwright() as playwright, person(playwright, tmp_path) as alice:
            alice.open(bridge.link(unique_user("alice"), echo.jid))
            assert alice.page.evaluate("window.jinglebridge.bridge.warnings") == []
            alice.press(f"Call {echo.jid.partition('@')[0]}")
            alice.connected()
            alice.hears_tone(1100)
            assert alice.page.evaluate(USED) == "relay"
            alice.sees("reached the longest time")
            assert echo.wait("ended")["reason"] == "peer: success"
            assert next(c for c in bridge.all_calls() if c["with"] == echo.jid)["reason"] == "too-long"
            assert alice.problems == []
    finally:
        bridge.close()


@pytest.mark.parametrize("address", ["10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.1"])
async def test_the_relay_leads_into_no_private_network(relay: Coturn, address: str) -> None:
    username, password = relay.credentials()
    await leads_nowhere(relay.port, username, password, address)


@pytest.mark.parametrize(("change", "says"), [({}, None), ({"secret": "x" * 40}, "the secret of [turn] and that of the relay differ")])
def test_the_doctor_tries_the_relay(prosody: Prosody, relay: Coturn, tmp_path: Path, change: dict[str, str], says: str | None) -> None:
    bridge = BridgeProcess(tmp_path / "bridge", prosody, start=False, turn={"urls": [relay.url], "secret": relay.secret} | change)
    result = bridge.command("doctor")
    if says is None:
        assert result.returncode == 0 and f"ok    relay turn:127.0.0.1:{relay.port}/udp: relays by 127.0.0.1" in result.stdout, (
            result.stdout
        )
    else:
        assert result.returncode == 1 and says in result.stdout, result.stdout


class WithTurn(Prosody):
    """Prosody with the lines of the recipe that make it hand coturn out."""

    relay: Coturn

    def prepare(self) -> None:
        super().prepare()
        lines = re.findall(r"^--   ((?:modules_enabled|turn_external|external_service).+)$", recipe("prosody/jinglebridge.cfg.lua"), re.M)
        changes = {"turn.example.org": "127.0.0.1", "CHANGE-THIS-TURN-SECRET": self.relay.secret}
        changes |= {'"example.org"': f'"{self.domain}"', "call.example.org": self.component}
        more = [*replaced("\n".join(lines), changes).splitlines(), f"turn_external_port = {self.relay.port}"]
        config = self.folder / "prosody.cfg.lua"
        host = f'VirtualHost "{self.domain}"\n'
        config.write_text(replaced(config.read_text(), {host: host + "".join(f"  {line}\n" for line in more)}))


def test_prosody_hands_the_relay_out_by_the_recipe(relay: Coturn, tmp_path: Path) -> None:
    """Asked by XEP-0215 for a web user; the doctor gets a relayed address with what Prosody gave."""
    server = WithTurn(tmp_path / "prosody")
    server.relay = relay
    with server:
        found = BridgeProcess(tmp_path / "bridge", server, start=False).command("doctor")
    assert found.returncode == 0 and f"ok    relay turn:127.0.0.1:{relay.port}/udp: relays by 127.0.0.1" in found.stdout, found.stdout


async def test_credentials_of_another_secret_are_refused(relay: Coturn) -> None:
    with pytest.raises(aioice.stun.TransactionFailed):
        await aioice.turn.create_turn_endpoint(Heard, server_addr=("127.0.0.1", relay.port), username="9999999999:x", password="no")
