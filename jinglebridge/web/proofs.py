"""HTTP of the proof of an address: ``POST /proof`` begins one, ``POST /proof/answer`` waits for its end or brings a code.

Both take and give JSON. The handle travels in the body, so that no log of a proxy has it. A page of another site cannot use this: it
would need a content type that browsers only send across sites after asking, and its Origin is checked as for `/ws`.

Spec: DESIGN §2 (b), §5.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal, Protocol, TypeVar

import msgspec
import structlog
from aiohttp import web
from msgspec import Meta, Struct

from jinglebridge.errors import EndpointError, ProtocolError
from jinglebridge.web import frames
from jinglebridge.web import messages as m
from jinglebridge.web.guest_pages import BODY_WITHIN

log = structlog.get_logger()

STATUS = {"forbidden": 403, "rate-limited": 429, "unavailable": 503, "internal": 500}  # of error codes; others are 400


class Begin(Struct, kw_only=True):
    """Body of ``POST /proof``."""

    jid: m.Jid
    label: Annotated[str, Meta(max_length=128)] = ""  # of the device, for the list of devices


class Begun(Struct, kw_only=True):
    proof: str  # the handle: who has it gets the credential
    words: str  # the message has them too, to compare
    expires: int  # seconds from now


class Ask(Struct, kw_only=True):
    """Body of ``POST /proof/answer``."""

    proof: Annotated[str, Meta(max_length=128)]
    code: Annotated[str, Meta(max_length=64)] | None = None  # null: wait, at most half a minute


class Answer(Struct, kw_only=True, omit_defaults=True):
    state: Literal["waiting", "wrong", "confirmed", "over"]  # over: too late, begin again
    device: str = ""  # with confirmed: for hello.device
    left: int | None = None  # with wrong: how many more codes may be tried


class Desk(Protocol):
    """What the web side needs from the service."""

    def begin(self, jid: str, label: str, address: str) -> Begun:
        """Raises EndpointError."""

    async def answer(self, handle: str, code: str | None) -> Answer:
        """Raises nothing."""


Body = TypeVar("Body", Begin, Ask)


async def begin(request: web.Request, desk: Desk, address: str) -> web.Response:
    try:
        body = await _read(request, Begin)
        return _json(desk.begin(body.jid, body.label, address))
    except Exception as error:
        return _refused(error)


async def answer(request: web.Request, desk: Desk) -> web.Response:
    try:
        body = await _read(request, Ask)
        return _json(await desk.answer(body.proof, body.code))
    except Exception as error:
        return _refused(error)


async def _read(request: web.Request, kind: type[Body]) -> Body:
    """Raises EndpointError bad-frame, HTTPRequestTimeout."""
    if request.content_type != "application/json":
        raise EndpointError("bad-frame", "the content type must be application/json")
    try:
        async with asyncio.timeout(BODY_WITHIN):
            body = await request.read()
        return msgspec.json.decode(body, type=kind)
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="the request took too long\n") from None
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise EndpointError("bad-frame", str(error)[:200]) from None


def _refused(error: Exception) -> web.Response:
    if isinstance(error, web.HTTPException):
        raise error
    if not isinstance(error, ProtocolError):
        log.exception("proof-failed")
    frame = frames.error_frame(None, error)
    return _json({"code": frame.code, "message": frame.message}, STATUS.get(frame.code, 400))


def _json(value: object, status: int = 200) -> web.Response:
    body = msgspec.json.encode(value)
    return web.Response(body=body, status=status, content_type="application/json", headers={"Cache-Control": "no-store"})
