"""Keeps the component connected, and makes sure that it is the only one under its name.

ejabberd accepts a second connection of the same component and then delivers half of all stanzas to each, silently. So before
anything else ten nonces travel through the server to ourselves, and again every 15 s: one missing means that somebody else
got it. At start that ends the process; later it makes the bridge "not ready" while its calls go on.

Spec: DESIGN §4 (one live connection), §5 (reconnect); J-003 … J-005, J-009.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import ssl
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from jinglebridge.errors import OperatorError
from jinglebridge.xmpp.component import Component
from jinglebridge.xmpp.stanza import Stanza, message

log = structlog.get_logger()

NONCE = "{urn:jinglebridge:self-check:0}nonce"
HANDSHAKE_WITHIN = 3.0  # seconds
NONCES = 10
NONCE_WAIT = 3.0  # seconds for a nonce to come back
CHECK_EVERY = 15.0
CHECK_AGAIN = 1.0  # seconds to the next self-check while not ready
DOUBT = 4.0  # seconds until the next self-check after a foreign nonce: longer than the other bridge's own check takes
FATAL = {
    "not-authorized": "the server refused the secret of component {domain}: compare [xmpp] secret with the server's configuration",
    "host-unknown": "the server has no component {domain}: add it to the server's configuration, or correct [xmpp] domain",
    "conflict": "another bridge is connected as {domain}: stop it first, or give this one its own domain",
    "invalid-namespace": "the port {port} of {host} is not a component port (XEP-0114): correct [xmpp] port",
}


class LinkError(OperatorError):
    """The server cannot be used as configured."""

    exit_status = 3


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int
    tls: ssl.SSLContext | None = None


class Link:
    """The life of the connection.

    `on_ready()` is called after each successful self-check that follows a connect, `on_lost()` when the stream broke.
    You must call `start`, and `stop` in the end.
    """

    def __init__(self, component: Component, address: Address, *, start_timeout: float = 10.0) -> None:
        self.component = component
        self.address = address
        self.ready = False
        self.alone = True
        self.on_ready: Callable[[], Awaitable[None]] | None = None
        self.on_lost: Callable[[], None] = lambda: None
        self._start_timeout = start_timeout
        self._instance = secrets.token_urlsafe(16)
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._doubt = asyncio.Event()
        self._condition = ""
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        component.on_up = self._is_up
        component.on_down = self._is_down

    async def start(self) -> None:
        """Connect and check. Raises LinkError when the operator has to do something."""
        deadline = asyncio.get_running_loop().time() + self._start_timeout
        while True:
            try:
                await self._connect()
                alone = await self._self_check()
                if self._down.is_set():
                    raise OSError(self._condition or "the server closed the connection")
                break
            except OSError as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise LinkError(
                        f"no XMPP server answers at {self.address.host}:{self.address.port} ({type(error).__name__}): "
                        "start it, or correct [xmpp] host and port"
                    ) from None
                await asyncio.sleep(random.uniform(0.2, 1.0))
        if not alone:
            raise LinkError(self._fatal("conflict"))
        await self._announce()
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.ready = False
        await self.component.close()

    def nonce_received(self, stanza: Stanza) -> None:
        """A self-check message came in: ours, or a sign of another bridge."""
        if stanza.sender.partition("/")[0].rpartition("@")[2] != self.component.domain or stanza.payload is None:
            return
        text = stanza.payload.text or ""
        if not text.startswith(self._instance):
            if self.alone:
                log.error("another-bridge", domain=self.component.domain, hint="two bridges use this domain; stop one of them")
            self.alone = self.ready = False
            self._doubt.set()
            return
        future = self._waiting.pop(text, None)
        if future is not None and not future.done():
            future.set_result(None)

    # --- the connection

    async def _connect(self) -> None:
        """One attempt. Raises OSError (also for a silent server) or LinkError."""
        self._up.clear()
        self._down.clear()
        try:
            await self.component.open(self.address.host, self.address.port, self.address.tls)
            if not await _first(HANDSHAKE_WITHIN, self._up, self._down):
                raise TimeoutError
        except TimeoutError:
            self.component.abort()
            raise OSError("the server does not answer") from None
        if not self._up.is_set():
            if self._condition in FATAL:
                raise LinkError(self._fatal(self._condition))
            raise OSError(self._condition or "the server closed the connection")

    def _fatal(self, condition: str) -> str:
        return FATAL[condition].format(domain=self.component.domain, host=self.address.host, port=self.address.port)

    def _is_up(self) -> None:
        self._up.set()

    def _is_down(self, condition: str) -> None:
        self._condition = condition
        was_ready, self.ready = self.ready, False
        self._down.set()
        for future in self._waiting.values():
            future.cancel()
        self._waiting.clear()
        if (self._task is not None or was_ready) and not self._stopping:
            log.warning("xmpp-lost", condition=condition, was_ready=was_ready)
            self.on_lost()

    async def _keep(self) -> None:
        """Reconnect whenever the stream breaks, check whenever it lives."""
        while not self._stopping:
            await self._pause()
            if self._down.is_set():
                await self._reconnect()
            else:
                await self._periodic_check()

    async def _pause(self) -> None:
        """Until the stream breaks or a check is due: soon after a foreign nonce, since the other bridge may have given up by then."""
        await _first(CHECK_EVERY if self.ready else CHECK_AGAIN, self._doubt, self._down)
        if self._doubt.is_set():
            await _first(DOUBT, self._down)
        self._doubt.clear()

    async def _periodic_check(self) -> None:
        good = await self._self_check()
        if self._down.is_set():
            return
        if good and not self.ready:
            log.info("self-check-good-again")
            await self._announce()
        elif not good:
            log.error("self-check-failed", hint="stanzas to ourselves are lost: another bridge, or a stalled server")
            self.ready = False
            if asyncio.get_running_loop().time() - self.component.heard > 2 * CHECK_EVERY:
                self.component.abort()  # a dead TCP connection; J-009

    async def _reconnect(self) -> None:
        """0.2 … 2 s apart; a refused secret may be a server still starting, so it is retried fast for 30 s, then slowly."""
        started = asyncio.get_running_loop().time()
        while not self._stopping:
            await asyncio.sleep(random.uniform(0.2, 0.8))
            try:
                await self._connect()
            except OSError as error:
                log.debug("reconnect-failed", error=str(error))
                await asyncio.sleep(random.uniform(0.0, 1.2))
                continue
            except LinkError as error:
                log.warning("reconnect-refused", error=str(error))
                if asyncio.get_running_loop().time() - started > 30.0:
                    await asyncio.sleep(30.0)
                continue
            alone = await self._self_check()
            if not self._down.is_set():
                if alone:
                    await self._announce()
                return

    async def _announce(self) -> None:
        self.ready = True
        log.info("xmpp-ready", domain=self.component.domain)
        if self.on_ready is not None:
            await self.on_ready()

    async def _self_check(self) -> bool:
        """Ten nonces to ourselves, from and to different resources so that a balancing server would spread them."""
        loop = asyncio.get_running_loop()
        self.alone = True  # what was seen before this round is forgiven if the round is clean
        futures = []
        for _ in range(NONCES):
            text = f"{self._instance}.{secrets.token_urlsafe(8)}"
            future = self._waiting[text] = loop.create_future()
            futures.append(future)
            nonce = ET.Element(NONCE)
            nonce.text = text
            where = f"self-check@{self.component.domain}/{secrets.token_urlsafe(4)}"
            self.component.send(message(where, where, text, nonce, kind="normal"))
        done, _ = await asyncio.wait(futures, timeout=NONCE_WAIT)
        good = len([f for f in done if not f.cancelled()]) == NONCES and self.alone
        for text in [t for t, f in self._waiting.items() if f in futures]:
            del self._waiting[text]
        return good


async def _first(seconds: float, *events: asyncio.Event) -> bool:
    """Wait until one of the events is set, at most so long; False if none was."""
    waits = {asyncio.ensure_future(event.wait()) for event in events}
    try:
        done, _ = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return bool(done)
