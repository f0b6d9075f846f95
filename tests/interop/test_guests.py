"""Guest links with real servers: made by command window and by chat line, single use, and one guest's flood beside another page's calls."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import statistics
import time
import urllib.request
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.sync_api import sync_playwright

from jinglebridge.demo.lab import Ejabberd, Prosody

from .bridge import BridgeProcess, wait_for
from .browser import person
from .raw import CLIENT, RawPage, RawXmpp, answer
from .servers import HandsetFactory, unique_user

COMMANDS = "http://jabber.org/protocol/commands"
ITEMS = "http://jabber.org/protocol/disco#items"
INFO = "http://jabber.org/protocol/disco#info"
C, X = f"{{{COMMANDS}}}", "{jabber:x:data}"


def said(client: RawXmpp, gateway: str, line: str) -> str:
    """Write a line to the gateway; its answer."""
    client.send(f"<message to='{gateway}' type='chat' id='l{time.monotonic_ns()}'><body>{line}</body></message>")
    reply = client.wait(lambda e: e.tag == f"{CLIENT}message" and e.get("from") == gateway and e.find(f"{CLIENT}body") is not None)
    assert reply.get("type") == "chat"
    return reply.findtext(f"{CLIENT}body", "")


def link_in(text: str) -> str:
    return next(word for word in text.split() if word.startswith("http"))


def test_a_link_by_chat_on_prosody_rings_and_is_spent_by_the_call(prosody: Prosody, handset: HandsetFactory, tmp_path: Path) -> None:
    """Prosody gives no TURN, so the operator must have allowed guests without it."""
    bridge = BridgeProcess(tmp_path / "bridge", prosody, policy={"guests_without_turn": True})
    user = unique_user("romeo")
    try:
        romeo = handset(prosody, user, "--tone", "1100")
        with (
            RawXmpp(prosody, user, register=False, online=False) as chat,
            sync_playwright() as playwright,
            person(playwright, tmp_path) as guest,
        ):
            chat.send("<presence><priority>-1</priority></presence>")
            assert "link [label]" in said(chat, bridge.server.component, "hello")
            url = link_in(said(chat, bridge.server.component, "link Shop once audio"))
            guest.page.goto(url)
            guest.sees(f"Call {user}")
            guest.sees("Shop")
            assert not guest.page.get_by_role("button", name="Video call").is_visible()
            guest.press("Call")
            guest.sees("Type your name first")
            guest.press("Check my devices")
            guest.sees("the bar moves with your voice")
            wait_for("the bar moves", lambda: guest.page.evaluate("document.getElementById('level').value") > 0.05, 5)
            guest.press("Done")
            name = guest.page.get_by_label("Your name")
            name.fill("Anna")
            name.press("Enter")  # no mouse is needed
            guest.connected()
            assert guest.page.evaluate("document.getElementById('checked').hidden"), "the check has let the devices go"
            guest.hears_tone(1100)
            (call,) = bridge.calls()
            assert call["own"].startswith("guest-anna-") and romeo.report()["violations"] == []
            guest.press("Hang up")
            guest.sees("This link was used")
            guest.press("Close")
            guest.sees("It was good for one call")
            assert "was used" in said(chat, bridge.server.component, "links")
            guest.page.goto(f"{bridge.url}/c/nosuchcode")
            guest.sees("This link does not work")
            assert url.rpartition("/")[2] not in bridge.log(), "codes are never in logs"
            assert [p for p in guest.problems if "status of 4" not in p] == [], "no error, nothing against the CSP"
    finally:
        bridge.close()


def test_the_command_window_on_ejabberd(ejabberd: Ejabberd, tmp_path: Path) -> None:
    """What a client with a command window does: find the gateway, list its commands, fill the form in."""
    bridge = BridgeProcess(tmp_path / "bridge", ejabberd)
    gateway = ejabberd.component
    try:
        with RawXmpp(ejabberd, unique_user("romeo")) as client:
            found = client.ask(f"<query xmlns='{ITEMS}'/>", kind="get", to=ejabberd.domain)
            assert gateway in [item.get("jid") for item in found.iter(f"{{{ITEMS}}}item")], "the server lists the gateway"
            info = client.ask(f"<query xmlns='{INFO}'/>", kind="get", to=gateway)
            assert COMMANDS in [feature.get("var") for feature in info.iter(f"{{{INFO}}}feature")]
            listed = client.ask(f"<query xmlns='{ITEMS}' node='{COMMANDS}'/>", kind="get", to=gateway)
            names = {item.get("node"): item.get("name") for item in listed.iter(f"{{{ITEMS}}}item")}
            assert names["link"] == "Make a guest link" and {"links", "revoke", "dnd", "block", "help"} <= set(names)
            asked = client.ask(f"<command xmlns='{COMMANDS}' node='link' action='execute'/>", to=gateway)[0]
            fields = {f.get("var"): f.get("label") for f in asked.iter(f"{X}field")}
            assert asked.get("status") == "executing" and fields["once"] == "Good for one call only"
            form = "<x xmlns='jabber:x:data' type='submit'><field var='label'><value>Shop</value></field></x>"
            session = asked.get("sessionid")
            filled = f"<command xmlns='{COMMANDS}' node='link' sessionid='{session}' action='complete'>{form}</command>"
            done = client.ask(filled, to=gateway)[0]
            url = next(f.findtext(f"{X}value", "") for f in done.iter(f"{X}field") if f.get("var") == "url")
            assert done.get("status") == "completed" and bridge.http(url.removeprefix(bridge.url))[0] == 200
            late = client.ask(filled, to=gateway)
            assert answer(late)[:2] == ("modify", "bad-request") and late.find(f".//{C}bad-sessionid") is not None
            shown = client.ask(f"<command xmlns='{COMMANDS}' node='links'/>", to=gateway)[0]
            assert "Shop" in shown.findtext(f"{C}note", "")
            client.send(f"<presence to='{gateway}' type='subscribe'/>")
            client.wait(lambda e: e.tag == f"{CLIENT}presence" and e.get("from") == gateway and e.get("type") is None)
            form = form.replace("label", "link").replace("Shop", "all")
            taken = client.ask(f"<command xmlns='{COMMANDS}' node='revoke'>{form}</command>", to=gateway)
            assert "taken back" in ET.tostring(taken, encoding="unicode") and bridge.http(url.removeprefix(bridge.url))[0] == 404
    finally:
        bridge.close()


def test_the_page_shows_presence_once_the_maker_allows_it(ejabberd: Ejabberd, tmp_path: Path) -> None:
    """One request, which the maker's client shows once; nobody adds anything. It is true again after a restart of the bridge."""
    bridge = BridgeProcess(tmp_path / "bridge", ejabberd)
    gateway = ejabberd.component

    def shown(url: str) -> str:
        body = json.dumps({"code": url.rpartition("/")[2]}).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{bridge.url}/link", body), timeout=5) as reply:
            return str(json.load(reply)["presence"])

    def becomes(what: str) -> None:
        wait_for(f"the page shows {what}", lambda: shown(url) == what, 5)

    try:
        with RawXmpp(ejabberd, unique_user("romeo")) as client:
            url = link_in(said(client, gateway, "link Shop presence"))
            assert shown(url) == "unknown"
            client.send(f"<presence to='{gateway}' type='subscribed'/>")
            becomes("available")
            client.send("<presence><show>away</show></presence>")
            becomes("away")
            time.sleep(0.3)  # what was saved is on disk within 200 ms: store/base.py
            bridge.signal(signal.SIGKILL)
            bridge.start()
            becomes("away")
            assert "is on" in said(client, gateway, "dnd on")
            assert shown(url) == "offline"
            assert "is off" in said(client, gateway, "dnd off") and shown(url) == "away"
        becomes("offline")
    finally:
        bridge.close()


SDP = """v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuvwx
a=fingerprint:sha-256 {print}
a=setup:actpass
a=mid:0
a=sendrecv
a=rtcp-mux
a=rtpmap:111 opus/48000/2
""".replace("\n", "\r\n").format(print=":".join(["AB"] * 32))  # fmt: skip


async def _page(http: aiohttp.ClientSession, url: str, **hello: Any) -> RawPage:
    socket = await http.ws_connect(url.replace("http", "ws") + "/ws", protocols=("jinglebridge.v1",), heartbeat=None)
    page = RawPage(socket)
    await socket.send_json({"type": "hello", "id": "hello", "version": 1, **hello})
    await page.hear("welcome")
    return page


async def _setup_times(page: RawPage, to: str, count: int, mark: str) -> list[float]:
    """Seconds from `call` until the device at the other side rings, which takes every part of the bridge and the server."""
    times = []
    for n in range(count):
        id, began = f"{mark}{n}", time.perf_counter()
        await page.socket.send_json({"type": "call", "id": f"c-{id}", "call": id, "to": to, "description": {"type": "offer", "sdp": SDP}})
        await page.hear("state", call=id, state="ringing")
        times.append(time.perf_counter() - began)
        await page.socket.send_json({"type": "hangup", "id": f"h-{id}", "call": id})
        await page.hear("ended", call=id)
    return times


async def _flood(http: aiohttp.ClientSession, url: str, code: str, owner: str, sent: list[int]) -> None:
    """A guest who sends frames as fast as the socket takes them, and comes back when thrown out. `sent` gets one item for each."""
    while True:
        try:
            page = await _page(http, url, code=code, name="Mallory")
        except (aiohttp.ClientError, TypeError):  # the rate of the link
            await asyncio.sleep(0.2)
            continue

        async def read(page: RawPage = page) -> None:
            async for _ in page.socket:
                pass

        reader = asyncio.create_task(read())
        try:
            while not page.socket.closed:
                fields = {"call": f"f{len(sent)}", "to": owner, "description": {"type": "offer", "sdp": SDP}}
                await page.socket.send_json({"type": "call", "id": f"f{len(sent)}", **fields})
                await page.socket.send_json({"type": "ping", "id": "p"})
                sent += [1, 1]
                if len(sent) % 40 == 0:
                    await asyncio.sleep(0)
        except (ConnectionError, aiohttp.ClientError):
            pass
        finally:
            reader.cancel()
            page.socket.get_extra_info("socket").shutdown(socket.SHUT_RDWR)  # a close would wait until all of it was read


@pytest.mark.timeout(120)
def test_one_guests_flood_does_not_slow_another_pages_call(ejabberd: Ejabberd, handset: HandsetFactory, tmp_path: Path) -> None:
    """Measured beside each other: call set-up of a page while a guest sends as fast as it can, and without."""
    bridge = BridgeProcess(tmp_path / "bridge", ejabberd, log={"level": "info"})
    try:
        romeo, victim = handset(ejabberd, unique_user("romeo"), auto="ring"), unique_user("victim")
        ejabberd.register(victim)
        code = bridge.command("link", "create", f"{victim}@{ejabberd.domain}").stdout.strip().rpartition("/")[2]
        anna = unique_user("anna")

        async def measure() -> tuple[float, float, int]:
            async with aiohttp.ClientSession() as http:
                page = await _page(http, bridge.url, token=bridge.token(anna, romeo.jid))
                await _setup_times(page, romeo.jid, 3, "warm")
                quiet = await _setup_times(page, romeo.jid, 15, "quiet")
                sent: list[int] = []
                flood = asyncio.create_task(_flood(http, bridge.url, code, f"{victim}@{ejabberd.domain}", sent))
                try:
                    await asyncio.sleep(0.5)
                    busy = await _setup_times(page, romeo.jid, 15, "busy")
                finally:
                    flood.cancel()
                    await asyncio.wait({flood})
                return statistics.median(quiet), statistics.median(busy), len(sent)

        quiet, busy, sent = asyncio.run(measure())
        print(f"\ncall set-up: {quiet * 1000:.1f} ms alone, {busy * 1000:.1f} ms beside {sent} frames of a guest")  # noqa: T201  what was measured
        assert sent > 500, sent
        assert busy < max(4 * quiet, 0.1), (quiet, busy, sent)
    finally:
        bridge.close()
