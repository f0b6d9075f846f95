"""A bridge without XMPP: two pages that connect to it can call each other. Test helper for the client, nothing more.

Every frame of the client is decoded with the real `jinglebridge.web.messages`, every frame of ours is encoded with it, so
that a client that leaves the protocol fails here. Kept: sessions, events with seq, resume, repeated answers per request id.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from aiohttp import WSMsgType, web

from jinglebridge.web import messages as m

CLIENT = Path(__file__).parents[3] / "client"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob: mediastream:; "
    "connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DOMAIN = "call.example.org"
CONTACTS = (
    ("alice", "Alice Liddell", "available", ""),
    ("bob", "Bob", "available", "At my desk"),
    ("carol", "Carol <b>Danvers</b>", "away", ""),
    ("dave", "Dave Bowman", "dnd", "In the pod bay"),
    ("erin", "Erin", "offline", ""),
    ("frank", "Frank", "unknown", ""),
)

NAMES = {user: name for user, name, *_ in CONTACTS}


class Session:
    def __init__(self, user: str) -> None:
        self.user = user
        self.jid = f"{user}@{DOMAIN}/w-{secrets.token_hex(4)}"
        self.secret = secrets.token_hex(16)
        self.events: list[m.Event] = []
        self.seq = 0
        self.answered: dict[str, list[Any]] = {}
        self.socket: web.WebSocketResponse | None = None

    async def send(self, frame: Any) -> None:
        if self.socket is not None and not self.socket.closed:
            with suppress(ConnectionResetError):  # that page goes; it hears this when it resumes
                await self.socket.send_str(m.encode(frame).decode())

    async def event(self, event: m.Event) -> None:
        self.seq += 1
        event.seq = self.seq
        self.events.append(event)
        await self.send(event)


class FakeBridge:
    """Calls between pages; `log` holds every frame of the clients; the flags steer the tests."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.calls: dict[str, tuple[Session, Session | None]] = {}
        self.offers: dict[str, m.Description] = {}
        self.log: list[m.Request] = []
        self.warnings: list[str] = []
        self.features: list[str] = []
        self.contacts = [contact(*c) for c in CONTACTS]
        self.refuse_resume = False
        self.abilities = m.Abilities()
        self.refused: Literal["add", "direction"] | None = None  # changes in a call are answered with this
        self.refusals: asyncio.Queue[m.SetDescription] = asyncio.Queue()
        self.down = False
        self.url = ""
        self.shop = ""  # the body of a page with the bridge's own CSP
        self.bundles = CLIENT  # scripts of that page

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/", self.page)
        app.router.add_get("/ws", self.socket)
        app.router.add_get("/my-token", self.token)
        app.router.add_get("/button", self.button)
        app.router.add_get("/shop", self.shop_page)
        app.router.add_get("/bundles/{name}", self.bundle)
        app.router.add_static("/client/", CLIENT)
        app.router.add_static("/jinglebridge/", CLIENT)  # where the README's site has its copy
        return app

    async def page(self, request: web.Request) -> web.FileResponse:
        return web.FileResponse(CLIENT / "index.html", headers={"Content-Security-Policy": CSP.format(host=request.host)})

    async def token(self, request: web.Request) -> web.Response:
        return web.Response(text="alice")

    async def button(self, request: web.Request) -> web.Response:
        """The call button of the client's README, or of docs/how-to/embed.md, calling bob here."""
        file, heading = ("docs/how-to/embed.md", "## 2c.") if "embed" in request.query else ("client/README.md", "in ten lines")
        page = (CLIENT.parent / file).read_text().partition(heading)[2].partition("```html\n")[2].partition("```")[0]
        ours = {"'https://call.example.org'": "location.origin", "https://call.example.org/": "/", "/call-token": "/my-token"}
        for theirs, here in (ours | dict.fromkeys(("alice@example.org", "support@example.org"), f"bob@{DOMAIN}")).items():
            page = page.replace(theirs, here)
        return web.Response(text=f"<!doctype html><title>Button</title>{page}", content_type="text/html")

    async def shop_page(self, request: web.Request) -> web.Response:
        page = f"<!doctype html><html lang='en'><title>Shop</title><body>{self.shop}"
        return web.Response(text=page, content_type="text/html", headers={"Content-Security-Policy": CSP.format(host=request.host)})

    async def bundle(self, request: web.Request) -> web.FileResponse:
        return web.FileResponse(self.bundles / request.match_info["name"])

    async def socket(self, request: web.Request) -> web.StreamResponse:
        if self.down:
            return web.Response(status=503)
        socket = web.WebSocketResponse(protocols=[m.PROTOCOL])
        await socket.prepare(request)
        session: Session | None = None
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            frame = m.decode(message.data)
            self.log.append(frame)
            if isinstance(frame, m.Hello):
                session = await self.hello(socket, frame)
            elif session is not None:
                await self.request(session, frame)
        return socket

    async def hello(self, socket: web.WebSocketResponse, frame: m.Hello) -> Session | None:
        session = next((s for s in self.sessions if frame.resume and s.secret == frame.resume.secret and not self.refuse_resume), None)
        resumed = session is not None
        if session is None:
            user = self.user(frame)
            if user is None:
                code: m.ErrorCode = "token-expired" if frame.token else "not-authorized"
                await socket.send_str(m.encode(m.Error(code=code, message="no", id=frame.id)).decode())
                await socket.close(code=1008)
                return None
            session = Session(user)
            self.sessions.append(session)
        session.socket = socket
        session.secret = secrets.token_hex(16)
        await session.send(
            m.Welcome(
                jid=session.jid,
                name=NAMES.get(session.user, session.user),
                contacts=self.contacts_of(session.user),
                limits=m.Limits(frame=98304, calls=8, resume=120, ping=10),
                features=self.features,
                resume=session.secret,
                resumed=resumed,
                calls=[],
                seq=session.seq,
                warnings=self.warnings,
            )
        )
        if frame.resume and resumed:
            for event in session.events:
                if event.seq > frame.resume.lastSeq:
                    await session.send(event)
        return session

    def user(self, frame: m.Hello) -> str | None:
        """Who comes; None: nobody who is let in."""
        return None if frame.token == "expired" else frame.token

    def contacts_of(self, user: str) -> list[m.Contact]:
        return [c for c in self.contacts if not c.jid.startswith(f"{user}@")]

    def told(self, frame: m.Request) -> list[Any]:
        """What comes before the ack of a question."""
        return []

    async def request(self, session: Session, frame: m.Request) -> None:
        for answer in session.answered.get(frame.id, []):
            await session.send(answer)
        if frame.id in session.answered:
            return
        answers: list[Any] = [m.Pong(id=frame.id)] if isinstance(frame, m.Ping) else [m.Ack(id=frame.id)]
        answers[:0] = self.told(frame)
        if isinstance(frame, m.Ice):
            answers.insert(0, m.IceEvent(id=frame.id, iceServers=[], iceTransportPolicy="all", expires=3600))
        refused = self.refused is not None and isinstance(frame, m.SetDescription) and frame.description.type == "offer"
        if refused:
            self.refusals.put_nowait(frame)
            answers = [m.Error(id=frame.id, code="not-negotiable", message="content-add was refused", what=self.refused)]
        session.answered[frame.id] = answers
        for answer in answers:
            await session.send(answer)
        if not refused:
            await self.act(session, frame)

    async def act(self, session: Session, frame: Any) -> None:
        match frame:
            case m.CallRequest():
                await self.call(session, frame)
            case m.Accept(call=call):
                await self.tell(session, m.State(call=call, state="accepted", abilities=self.abilities))
                await session.event(m.DescriptionEvent(call=call, description=self.offers[call]))
            case m.SetDescription(call=call, description=description):
                await self.tell(session, m.DescriptionEvent(call=call, description=description))
            case m.AddCandidate(call=call, candidate=candidate):
                await self.tell(session, m.CandidateEvent(call=call, candidate=candidate))
            case m.SendInfo(call=call, info=info, mid=mid):
                await self.tell(session, m.InfoEvent(call=call, info=info, mid=mid))
            case m.Reject(call=call, busy=busy):
                await self.tell(session, m.Ended(call=call, reason="busy" if busy else "declined"))
            case m.Hangup(call=call, reason=reason):
                await self.tell(session, m.Ended(call=call, reason=reason))

    async def call(self, session: Session, frame: m.CallRequest) -> None:
        user = frame.to.partition("@")[0]
        callee = next((s for s in reversed(self.sessions) if s.user == user and s is not session), None)
        self.calls[frame.call] = (session, callee)
        self.offers[frame.call] = frame.description
        if callee is None:
            return
        video = "m=video" in frame.description.sdp
        name = NAMES.get(session.user, session.user)
        media = m.Media(audio=True, video=video)
        await callee.event(m.Incoming(call=frame.call, from_=session.jid, name=name, media=media, abilities=self.abilities))
        await session.event(m.State(call=frame.call, state="ringing", abilities=self.abilities))

    async def tell(self, session: Session, event: m.Event) -> None:
        """Passes `event` to the other side of its call."""
        pair = self.calls.get(event.call)  # type: ignore[attr-defined]
        other = next((s for s in pair or () if s is not None and s is not session), None)
        if other is not None:
            await other.event(event)

    async def drop(self, user: str) -> None:
        """Cuts the sockets of a user as a broken network does."""
        for session in self.sessions:
            if session.user == user and session.socket is not None:
                await session.socket.close()

    async def drain(self) -> None:
        for session in self.sessions:
            await session.event(m.Draining())

    def seen(self, kind: type[m.Request], where: Callable[[Any], bool] = lambda frame: True) -> list[Any]:
        return [frame for frame in self.log if isinstance(frame, kind) and where(frame)]


def contact(user: str, name: str, presence: Any, status: str) -> m.Contact:
    there = presence in ("available", "away", "dnd")
    media = m.Media(audio=there, video=there)
    return m.Contact(jid=f"{user}@{DOMAIN}", name=name, presence=presence, status=status, media=media, subscription="both")
