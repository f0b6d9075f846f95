"""Our IQ requests that wait for an answer: O(1) however many are open.

Spec: RFC 6120 §8.1.3, §8.2.3; J-010.
"""

from __future__ import annotations

import asyncio
import secrets
import xml.etree.ElementTree as ET
from collections.abc import Callable

from jinglebridge.xmpp.stanza import Stanza, iq, read_error

Answer = Callable[[ET.Element | None, str | None, str | None], None]  # (payload, condition, Jingle condition)
Send = Callable[[ET.Element], bool]

TIMEOUT = 30.0  # seconds


class Requests:
    """Sends IQs and matches replies by (id, sender). A reply from anybody else is not one."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._open: dict[str, tuple[str, Answer, asyncio.TimerHandle]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def ask(self, kind: str, sender: str, to: str, payload: ET.Element, answer: Answer, timeout: float = TIMEOUT) -> None:
        """Send a request; `answer` is called exactly once: with the result's payload, or with an error condition.

        ``timeout`` is the condition after `timeout` seconds of silence, ``offline`` if there is no connection.
        """
        id = secrets.token_urlsafe(16)
        if not self._send(iq(kind, sender, to, id, payload)):
            asyncio.get_running_loop().call_soon(answer, None, "offline", None)
            return
        timer = asyncio.get_running_loop().call_later(timeout, self._late, id)
        self._open[id] = (to, answer, timer)

    async def get(self, sender: str, to: str, payload: ET.Element, timeout: float = 5.0) -> tuple[ET.Element | None, str | None]:
        """Ask and wait: (payload, None) or (None, condition)."""
        future: asyncio.Future[tuple[ET.Element | None, str | None]] = asyncio.get_running_loop().create_future()

        def answered(payload: ET.Element | None, condition: str | None, _: str | None) -> None:
            if not future.done():
                future.set_result((payload, condition))

        self.ask("get", sender, to, payload, answered, timeout)
        return await future

    def answered(self, stanza: Stanza) -> bool:
        """A result or error came in. False if nobody waits for it, or not from this sender."""
        entry = self._open.get(stanza.id)
        if entry is None or entry[0] != stanza.sender:
            return False
        del self._open[stanza.id]
        _, answer, timer = entry
        timer.cancel()
        if stanza.type == "result":
            answer(next(iter(stanza.element), None), None, None)
        else:
            answer(None, *read_error(stanza.element))
        return True

    def lost(self) -> None:
        """The connection is gone: nothing that was asked will be answered."""
        lost, self._open = self._open, {}  # an answer may lead to the next question
        for _, answer, timer in lost.values():
            timer.cancel()
            answer(None, "offline", None)

    def _late(self, id: str) -> None:
        _, answer, _ = self._open.pop(id)
        answer(None, "timeout", None)
