"""Who somebody is: an XMPP address proved without a password, devices that stay signed in, keys of a site. Real ejabberd, real Chromium."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from playwright.sync_api import Page, Playwright, expect, sync_playwright

from jinglebridge.demo.lab import Ejabberd
from jinglebridge.web import messages as m

from .bridge import BridgeProcess, wait_for
from .browser import Person, person
from .poezio import Poezio
from .raw import CLIENT, RawPage, RawXmpp
from .servers import HandsetFactory, skipped_when_missing, unique_user
from .test_contact import hears, two_tones

TONES = two_tones()
CONFIRM = "{http://jabber.org/protocol/http-auth}confirm"


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as p:
        yield p


@pytest.fixture(scope="module")
def bridge(ejabberd: Ejabberd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    folder = tmp_path_factory.mktemp("bridge")
    (folder / "keys.json").write_text('{"keys": []}')
    bridge = BridgeProcess(folder, ejabberd, tokens={"jwks": "keys.json"})
    yield bridge
    bridge.close()


@pytest.fixture
def alice(playwright: Playwright, tmp_path: Path) -> Iterator[Person]:
    with person(playwright, tmp_path, TONES[0]) as alice:
        yield alice


def asks(page: Page, jid: str) -> None:
    page.get_by_label("Your chat address").fill(jid)
    page.keyboard.press("Enter")


def words(page: Page) -> str:
    """What the page shows for comparing with the message."""
    shown = page.locator("#proof-words")
    expect(shown).to_have_text(re.compile(r"^\w{4}-\w{4}$"))
    return str(shown.text_content())


def signed_in_as(person: Person, jid: str) -> None:
    expect(person.page.get_by_role("heading", name="Contacts")).to_be_visible()
    expect(person.page.locator("#me-jid")).to_have_text(jid)


def devices(bridge: BridgeProcess, *who: str) -> list[dict[str, Any]]:
    return json.loads(bridge.command("devices", *who, "--json").stdout)  # type: ignore[no-any-return]


def test_an_address_is_proved_with_poezio_and_its_owner_called(
    bridge: BridgeProcess, alice: Person, handset: HandsetFactory, tmp_path: Path
) -> None:
    """XEP-0070 as a real client does it: yes, a call with the owner's other device, the browser signed out, and no."""
    owner = handset(bridge.server, unique_user("alice"), "--tone", str(TONES[1]))  # type: ignore[arg-type]
    user = owner.jid.replace("@", "\\40")
    with skipped_when_missing(), Poezio(bridge.server, owner.user, tmp_path / "poezio") as client:  # type: ignore[arg-type]
        client.sees(r"none \(\d/\d\)")  # its own presence came back
        alice.page.goto(bridge.url)
        asks(alice.page, owner.jid)
        client.answer_request(words(alice.page), yes=True)
        signed_in_as(alice, bridge.jid(user))
        owner.until(lambda r: any(full.startswith(bridge.jid(user)) and p["features"] for full, p in r["peers"].items()))
        alice.press(f"Call {owner.user}")
        alice.connected()
        alice.media_grows(video=False)
        alice.hears_tone(TONES[1])
        owner.until(hears(TONES[0]))  # type: ignore[arg-type]
        alice.press("Hang up")
        owner.wait("ended")
        alice.page.evaluate("sessionStorage.clear()")
        alice.page.goto("about:blank")
        alice.page.goto(bridge.url)
        signed_in_as(alice, bridge.jid(user))
        assert "#" not in alice.page.url
        (device,) = devices(bridge, owner.jid)
        assert (device["user"], device["by"]) == (user, "address") and "Chromium" in device["label"]
        revoked = bridge.command("devices", "revoke", device["id"])
        assert revoked.returncode == 0, revoked.stderr
        alice.sees("This browser is signed out")
        alice.page.reload()
        asks(alice.page, owner.jid)
        client.answer_request(words(alice.page), yes=False)
        wait_for("the refusal", lambda: "proof-denied" in bridge.log())
    expect(alice.page.get_by_label("Code from the message")).to_be_visible()
    alice.press("Use another address")
    asks(alice.page, owner.jid)
    alice.sees("Too many messages were asked for")
    assert devices(bridge, owner.jid) == [] and [p for p in alice.problems if "429" not in p] == []


def test_an_address_is_proved_by_the_code_and_signed_out_again(bridge: BridgeProcess, alice: Person) -> None:
    user = unique_user("bob")
    bridge.server.register(user)  # type: ignore[attr-defined]
    alice.page.goto(bridge.url)
    asks(alice.page, f"{user}@foreign.test")
    alice.sees("Only addresses of im.test can be used here", timeout=5)
    asks(alice.page, f"{user}@{bridge.server.domain}")
    shown = words(alice.page)
    with RawXmpp(bridge.server, user, register=False) as client:  # type: ignore[arg-type]  # a phone that slept when it was asked
        message = client.wait(lambda e: e.tag == f"{CLIENT}message" and e.find(CONFIRM) is not None)
        confirm, text = message.find(CONFIRM), message.findtext(f"{CLIENT}body") or ""
        assert confirm is not None
        assert confirm.attrib == {"id": shown, "method": "POST", "url": f"{bridge.url}/"}
        code = re.findall(r"\b(\d{4} \d{4})$", text, re.MULTILINE)[0]
        wrong = alice.page.get_by_label("Code from the message")
        wrong.fill("1234")
        alice.press("Sign in")
        alice.sees("This is not the code. 4 more tries")
        wrong.fill(code)
        alice.page.keyboard.press("Enter")
    signed_in_as(alice, bridge.jid(f"{user}\\40{bridge.server.domain}"))
    alice.page.reload()
    signed_in_as(alice, bridge.jid(f"{user}\\40{bridge.server.domain}"))
    alice.press("Settings")
    expect(alice.page.get_by_role("list", name="Devices").get_by_role("listitem")).to_contain_text("This browser")
    alice.press("Sign out of this browser")
    alice.sees("This browser is signed out")
    assert devices(bridge, client.jid) == []
    assert alice.page.evaluate("JSON.stringify([localStorage, sessionStorage])") == "[{},{}]"
    wait_for("the proof", lambda: "proof-succeeded" in bridge.log())
    log = bridge.log()
    assert code not in log and code.replace(" ", "") not in log
    assert [p for p in alice.problems if "403" not in p] == []


def invite(bridge: BridgeProcess, user: str) -> str:
    words = ["token", "create", user, "--config", str(bridge.config), "--device", "--link", "--label", "kiosk"]
    return subprocess.run([sys.executable, "-m", "jinglebridge", *words], capture_output=True, text=True, timeout=60).stdout.strip()


def test_an_operators_invite(bridge: BridgeProcess, alice: Person) -> None:
    user = unique_user("carol")
    link = invite(bridge, user)
    assert link.startswith(f"{bridge.url}/#device=")
    alice.page.goto(link)
    signed_in_as(alice, bridge.jid(user))
    assert alice.page.url == f"{bridge.url}/" and [d["label"] for d in devices(bridge, user)] == ["kiosk"]
    other = invite(bridge, unique_user("dora"))
    alice.page.goto(f"{bridge.url}/healthz")
    alice.page.goto(other)  # a dialog asks, and Playwright says no
    signed_in_as(alice, bridge.jid(user))
    alice.page.goto(f"{bridge.url}/healthz")
    alice.page.once("dialog", lambda dialog: dialog.accept())
    alice.page.goto(other)
    expect(alice.page.locator("#me-jid")).to_contain_text("dora")
    secret = link.partition("=")[2]
    assert secret not in bridge.log() and secret.encode() not in (bridge.folder / "store/jinglebridge.db").read_bytes()


def test_keys_of_a_site_change(bridge: BridgeProcess) -> None:
    """A key set in a file: what is in it lets in, at once; what is not any more does not; a token with a jti does once."""
    old, new = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    domain = bridge.server.component

    def publish(**keys: rsa.RSAPrivateKey) -> None:
        entries = [RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid} for kid, key in keys.items()]
        (bridge.folder / "keys.json").write_text(json.dumps({"keys": entries}))

    def signed(key: rsa.RSAPrivateKey, kid: str, **claims: Any) -> str:
        base = {"sub": "anna", "aud": domain, "exp": int(time.time()) + 60}
        return jwt.encode(base | claims, key, algorithm="RS256", headers={"kid": kid})

    async def hello(token: str) -> bool:
        async with aiohttp.ClientSession() as http, http.ws_connect(f"{bridge.url}/ws", protocols=(m.PROTOCOL,)) as socket:
            page = RawPage(socket)
            await socket.send_str(json.dumps({"type": "hello", "id": "h", "version": 1, "token": token}))
            return (await page.hear("welcome", "error"))["type"] == "welcome"

    def comes_in(token: str) -> bool:
        with ThreadPoolExecutor(1) as threads:  # this one has Playwright's loop
            return threads.submit(asyncio.run, hello(token)).result()

    publish(old=old)
    once = signed(old, "old", jti="1")
    assert [comes_in(t) for t in (signed(old, "old"), once, once, signed(new, "new"))] == [True, True, False, False]
    publish(new=new)
    assert [comes_in(t) for t in (signed(old, "old"), signed(new, "new"), bridge.token("anna"))] == [False, True, True]
