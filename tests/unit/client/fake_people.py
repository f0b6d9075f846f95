"""A `FakeBridge` with everything that the page can show: many contacts, requests, history, devices, proofs and guest links."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from fake_server import CLIENT, CONTACTS, CSP, DOMAIN, FakeBridge, contact

from jinglebridge.web import messages as m
from jinglebridge.web.guest_pages import STATUS

LONG = "Wolfeschlegelsteinhausenbergerdorff" * 3
MARKUP = "Carol <b>Danvers</b>"
HEBREW = "\u05d3\u05d5\u05d3 \u05d1\u05df \u05d2\u05d5\u05e8\u05d9\u05d5\u05df"
TURNED = "Mallory \u202egnp.exe"
NAMES = (
    ("zoe", "Zoë Müller", "away", "Back at noon, or a little later, as every day"),
    ("long", LONG, "available", "x" * 300),
    ("david", HEBREW, "dnd", "\u05d1\u05e4\u05d2\u05d9\u05e9\u05d4"),
    ("mallory", TURNED, "offline", ""),
)
PROOF = {"proof": "p1", "words": "K7QM-2XHD", "expires": 300}


def entry(number: int, name: str, direction: Any, answered: bool, reason: Any, video: bool) -> m.CallEntry:
    at = f"2026-05-{28 - number:02}T09:{number:02}:00Z"
    media = m.Media(audio=True, video=video)
    return m.CallEntry(
        call=f"c{number}", with_=f"{number}@{DOMAIN}", name=name, direction=direction, media=media,
        at=at, answered=answered, seconds=75 * number, reason=reason,
    )  # fmt: skip


HISTORY = [
    entry(1, "Bob", "out", True, "ended", True),
    entry(2, MARKUP, "in", False, "no-answer", False),
    entry(3, LONG, "out", False, "declined", False),
    entry(4, HEBREW, "in", False, "declined", True),
    entry(5, TURNED, "out", False, "no-answer", True),
]
DEVICES = [
    m.DeviceInfo(id="d1", label="Chromium, Linux", used="2026-05-27T10:00:00Z", current=True, created="2026-05-01T10:00:00Z"),
    m.DeviceInfo(id="d2", label="Firefox, Android <b>", used="2026-05-20T10:00:00Z", current=False, created="2026-05-01T10:00:00Z"),
]
LINK = {"name": "Alice Liddell", "label": "Shop", "video": True, "presence": "available"}


class People(FakeBridge):
    """Everybody who comes with a device is Bob's friend alice; `/c/good` is a link of hers."""

    def __init__(self) -> None:
        super().__init__()
        self.features = ["contacts", "history", "devices", "avatar"]
        self.warnings = ["No TURN server is configured: calls through firewalls may fail."]
        asks = contact("rosa", "Rosa", "unknown", "")
        asks.subscription = "pending-in"
        self.contacts = [contact(*c) for c in (*CONTACTS, *NAMES)] + [asks]
        self.link = "good"

    def app(self) -> web.Application:
        app = super().app()
        app.router.add_get("/c/{code}", self.guest_page)
        app.router.add_post("/link", self.look)
        app.router.add_post("/proof", self.begin)
        app.router.add_post("/proof/answer", self.answer)
        return app

    def user(self, frame: m.Hello) -> str | None:
        return super().user(frame) or ("alice" if frame.device else "guest" if frame.code else None)

    def contacts_of(self, user: str) -> list[m.Contact]:
        return [contact("alice", "Alice Liddell", "available", "")] if user == "guest" else super().contacts_of(user)

    def told(self, frame: m.Request) -> list[Any]:
        match frame:
            case m.History():
                return [m.HistoryEvent(id=frame.id, calls=HISTORY, more=True)]
            case m.Devices():
                return [m.DeviceList(id=frame.id, devices=DEVICES)]
        return []

    async def guest_page(self, request: web.Request) -> web.FileResponse:
        return web.FileResponse(CLIENT / "index.html", headers={"Content-Security-Policy": CSP.format(host=request.host)})

    async def look(self, request: web.Request) -> web.Response:
        asked = (await request.json())["code"]
        why = self.link if asked == "good" else asked
        return web.json_response(LINK) if why == "good" else web.json_response({"error": why}, status=STATUS[why])

    async def begin(self, request: web.Request) -> web.Response:
        if "@" in (await request.json())["jid"]:
            return web.json_response(PROOF)
        return web.json_response({"code": "bad-frame", "message": "no"}, status=400)

    async def answer(self, request: web.Request) -> web.Response:
        code = (await request.json()).get("code")
        if code == "1234":
            return web.json_response({"state": "confirmed", "device": "good"})
        if code is None:
            await asyncio.sleep(5)
        return web.json_response({"state": "waiting"} if code is None else {"state": "wrong", "left": 4})
