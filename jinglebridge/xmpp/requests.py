"""Our IQ requests that wait for an answer: O(1) however many are open.

Spec: RFC 6120 §8.1.3, §8.2.3; J-010.
"""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections import deque
from collections.abc import Callable

from jinglebridge.xml import to_text
from jinglebridge.xmpp.stanza import NS, Send, Stanza, new_id, read_error, written

Answer = Callable[[ET.Element | None, str | None, str | None], None]  # (payload, condition, Jingle condition)

Due = deque[tuple[float, str]]  # (loop time, id), in order

TIMEOUT = 30.0  # seconds


class Requests:
    """Sends IQs and matches replies by (id, sender). A reply from anybody else is not one."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._open: dict[str, tuple[str, Answer, Due]] = {}
        # One timer for all requests of the same patience: they time out in the order in which they were asked.
        self._due: dict[float, Due] = {}
        self._loop: asyncio.AbstractEventLoop | None = None  # that of the first request, since asking for it takes a system call

    def __len__(self) -> int:
        return len(self._open)

    def ask(self, kind: str, sender: str, to: str, payload: ET.Element | str, answer: Answer, timeout: float = TIMEOUT) -> None:
        """Send a request; `answer` is called exactly once: with the result's payload, or with an error condition.

        `payload` may be XML that is text already.

        ``timeout`` is the condition after `timeout` seconds of silence, ``offline`` if there is no connection.
        """
        id = new_id()
        loop = self._loop = self._loop or asyncio.get_running_loop()
        if not self._send(written("iq", kind, sender, to, id, payload if isinstance(payload, str) else to_text(payload, NS))):
            loop.call_soon(answer, None, "offline", None)
            return
        due = self._due.get(timeout)
        if due is None:
            due = self._due[timeout] = deque()
            loop.call_later(timeout, self._late, timeout)
        due.append((loop.time() + timeout, id))
        self._open[id] = (to, answer, due)

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
        _, answer, due = entry
        self._forget_answered(due)
        if stanza.type == "result":
            answer(next(iter(stanza.element), None), None, None)
        else:
            answer(None, *read_error(stanza.element))
        return True

    def lost(self) -> None:
        """The connection is gone: nothing that was asked will be answered."""
        lost, self._open = self._open, {}  # an answer may lead to the next question
        for _, answer, _ in lost.values():
            answer(None, "offline", None)

    def _late(self, timeout: float) -> None:
        """Give up on what is overdue, and come again for the next."""
        loop, due = asyncio.get_running_loop(), self._due[timeout]
        now = loop.time()
        while due and due[0][0] <= now:
            entry = self._open.pop(due.popleft()[1], None)
            if entry is not None:
                loop.call_soon(entry[1], None, "timeout", None)
        self._forget_answered(due)
        if due:
            loop.call_at(due[0][0], self._late, timeout)
        else:
            del self._due[timeout]

    def _forget_answered(self, due: Due) -> None:
        while due and due[0][1] not in self._open:
            due.popleft()
