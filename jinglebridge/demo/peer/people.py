"""Who is there: subscriptions, presence, and what each session can do (XEP-0115)."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from . import checks, stanzas
from .names import CAPS, CLIENT, DINO_NODE, DISCO, bare, q, ver_of_query


class Account(Protocol):
    """What this needs of the XMPP account."""

    @property
    def full(self) -> str: ...
    def send(self, stanza: ET.Element) -> None: ...
    def ask(self, to: str, payload: ET.Element, kind: str = "set") -> Awaitable[ET.Element]: ...
    def event(self, name: str, **fields: Any) -> None: ...
    def blame(self, sentences: list[str], sid: str = "") -> None: ...
    def reflected(self) -> None: ...


class People:
    """`on_gone` hears of each full JID that said goodbye."""

    def __init__(self, account: Account, on_gone: Callable[[str], None]) -> None:
        self.account, self.on_gone = account, on_gone
        self.sessions: dict[str, dict[str, Any]] = {}  # by full JID
        self._subscribed: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def is_dino(self, jid: str) -> bool:
        return any(p["node"] == DINO_NODE for full, p in self.sessions.items() if full == jid or bare(full) == jid)

    def is_gone(self, jid: str) -> bool:
        return jid in self.sessions and self.sessions[jid]["show"] == "unavailable"

    def subscribe(self, jid: str) -> None:
        if jid not in self._subscribed:
            self._subscribed.add(jid)
            self.account.send(stanzas.subscription("subscribe", jid))

    def on_presence(self, presence: ET.Element) -> bool:
        """Whether the stanza was ours to handle (slixmpp keeps our own account's)."""
        kind, sender = presence.get("type"), presence.get("from", "")
        if kind is None and sender == self.account.full:
            self.account.reflected()
        if bare(sender) == bare(self.account.full):
            return False
        if kind == "subscribe":
            self.account.send(stanzas.subscription("subscribed", bare(sender)))
            self.subscribe(bare(sender))
        elif kind == "unavailable":
            if sender in self.sessions:
                self.sessions[sender]["show"] = "unavailable"
            self.on_gone(sender)
        elif kind is None:
            self._available(presence, sender)
        self.account.event("presence", peer=sender, type=kind or "available")
        return True

    def _available(self, presence: ET.Element, sender: str) -> None:
        caps = presence.find(q(CAPS, "c"))
        peer = self.sessions.setdefault(sender, {"show": "", "ver": "", "node": "", "features": []})
        peer["show"] = presence.findtext(q(CLIENT, "show")) or "available"
        if "/" not in sender:
            self.account.blame([f"presence from the bare JID {sender}"] if "@" in sender else [])
        elif caps is None or caps.get("hash") != "sha-1" or not caps.get("node") or not caps.get("ver"):
            self.account.blame([f"presence of {sender} without proper caps: no call button in Conversations"])
        elif caps.get("ver") != peer["ver"]:
            peer |= {"ver": caps.get("ver"), "node": caps.get("node")}
            task = asyncio.get_running_loop().create_task(self._discover(sender, peer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _discover(self, jid: str, peer: dict[str, Any]) -> None:
        """Ask for what is behind the hash, and recompute it as Conversations does."""
        node = f"{peer['node']}#{peer['ver']}"
        try:
            answer = await self.account.ask(jid, ET.Element(q(DISCO, "query"), {"node": node}), "get")
        except (stanzas.StanzaError, TimeoutError) as error:
            if peer["show"] != "unavailable":
                self.account.blame([f"disco#info of {jid}: {error!r}"])
            return
        query = answer.find(q(DISCO, "query"))
        if query is None or query.get("node") != node:
            self.account.blame([f"the disco#info answer of {jid} is for another node"])
            return
        peer["features"] = [e.get("var", "") for e in query.findall(q(DISCO, "feature"))]
        self.account.blame(checks.presence_disco(query, peer["ver"], ver_of_query(query)))
        self.account.event("discovered", peer=jid)
