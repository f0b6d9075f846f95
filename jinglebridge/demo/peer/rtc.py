"""The media of one call: one RTCPeerConnection, or in Dino's shape one for each content."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import aioice.ice
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp

from . import sdp
from .media import Listener, Picture, Voice, Watcher, consume
from .names import ICE_UDP, Shape, q

Candidates = list[tuple[str, dict[str, str]]]
"""(content name, attributes of the candidate)"""

_interfaces = aioice.ice.get_host_addresses


def gather_loopback_only(only: bool) -> None:
    """Decide which addresses ICE may use in this process.

    aioice asks `aioice.ice.get_host_addresses` for them and that function leaves 127.0.0.1 out, so it is replaced.

    Args:
        only: nothing but 127.0.0.1 (tests); else all interfaces, and 127.0.0.1 when the machine has no other.
    """

    def addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return ["127.0.0.1"] if only else (_interfaces(use_ipv4, use_ipv6) or ["127.0.0.1"])

    aioice.ice.get_host_addresses = addresses


class Leg:
    """One peer connection and the contents it carries."""

    def __init__(self, configuration: RTCConfiguration) -> None:
        self.pc = RTCPeerConnection(configuration)
        self.mids: dict[str, str] = {}  # content name -> mid
        self.bundled: list[str] = []  # names in the agreed group; only the first one's candidates count
        self.ready = asyncio.Event()  # the remote description is set


class Media:
    """Sound and picture of one call. `on_state` gets ``connecting``, ``connected`` or ``failed``."""

    def __init__(
        self, shape: Shape, role: str, ice_servers: list[RTCIceServer], tone: float | None, on_state: Callable[[str], None]
    ) -> None:
        self.shape, self.role = shape, role
        self.peer_role = "responder" if role == "initiator" else "initiator"
        self.voice, self.picture = Voice(tone), Picture(echo=tone is None)
        self.listener, self.watcher = Listener(), Watcher()
        self.legs: list[Leg] = []
        self._configuration = RTCConfiguration(iceServers=ice_servers, bundlePolicy=RTCBundlePolicy.MAX_COMPAT)
        self._tasks: set[asyncio.Task[None]] = set()
        self._state, self._on_state = "new", on_state

    # --- offer and answer -----------------------------------------------------------------------------------------

    async def offer(self, media: list[str]) -> tuple[list[ET.Element], Candidates]:
        """Our contents for a session-initiate, without candidates, and the candidates."""
        for kinds in self._split(media):
            leg = self._add_leg()
            for index, kind in enumerate(kinds):
                leg.pc.addTrack(self._own_track(kind))
                leg.mids[kind if self.shape.separate else str(index)] = str(index)
            await leg.pc.setLocalDescription(await leg.pc.createOffer())
        return self._local()

    async def answer(self, contents: list[ET.Element], group: list[str]) -> tuple[list[ET.Element], Candidates]:
        """Take the peer's contents; our contents for the session-accept, without candidates, and the candidates."""
        for part in [[c] for c in contents] if self.shape.separate else [contents]:
            leg = self._add_leg()
            leg.mids = {c.get("name", ""): c.get("name", "") for c in part}
            await self._set_remote(leg, "offer", part, [] if self.shape.separate else group)
            for transceiver in leg.pc.getTransceivers():
                leg.pc.addTrack(self._own_track(transceiver.kind))
            await leg.pc.setLocalDescription(await leg.pc.createAnswer())
        return self._local()

    async def take_answer(self, contents: list[ET.Element], group: list[str]) -> None:
        for leg in self.legs:
            part = [c for c in contents if c.get("name") in leg.mids]
            await self._set_remote(leg, "answer", part, [] if self.shape.separate else group)

    async def add_candidate(self, name: str, candidate: ET.Element) -> None:
        """One candidate of the peer; waits for its description when it comes early."""
        leg = next((leg for leg in self.legs if name in leg.mids), None)
        if leg is None:
            return
        await leg.ready.wait()
        holder = ET.Element(q(ICE_UDP, "transport"))
        holder.append(candidate)
        if not sdp.usable_candidates(holder) or name in leg.bundled[1:]:
            return
        parsed = candidate_from_sdp(sdp.candidate_line(dict(candidate.attrib)))
        parsed.sdpMid = leg.mids[name]
        await leg.pc.addIceCandidate(parsed)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _split(self, media: list[str]) -> list[list[str]]:
        return [[kind] for kind in media] if self.shape.separate else [media]

    def _own_track(self, kind: str) -> Any:
        return self.voice if kind == "audio" else self.picture

    def _add_leg(self) -> Leg:
        leg = Leg(self._configuration)
        if self.legs:  # all contents of one call show one certificate; aiortc has no public way to say so
            leg.pc._RTCPeerConnection__certificates = self.legs[0].pc._RTCPeerConnection__certificates  # type: ignore[attr-defined]
        leg.pc.on("track", self._on_track)
        leg.pc.on("connectionstatechange", self._changed)
        self.legs.append(leg)
        return leg

    async def _set_remote(self, leg: Leg, kind: str, contents: list[ET.Element], group: list[str]) -> None:
        one = self.shape.separate and kind == "offer"
        text = sdp.description_sdp(contents, [n for n in group if n in leg.mids], self.peer_role, leg.mids, one)
        leg.bundled = [n for n in group if n in leg.mids]
        await leg.pc.setRemoteDescription(RTCSessionDescription(text, kind))
        leg.ready.set()

    def _local(self) -> tuple[list[ET.Element], Candidates]:
        contents: list[ET.Element] = []
        candidates: Candidates = []
        for leg in self.legs:
            names = {mid: name for name, mid in leg.mids.items()}
            session, media = sdp.sections(leg.pc.localDescription.sdp)
            for section in media:
                name = names[sdp.mid_of(section)]
                contents.append(sdp.content(session, section, name, self.role, self.shape))
                if name not in leg.bundled[1:]:
                    candidates += [(name, c) for c in sdp.candidates_of(section)]
        return contents, candidates

    def _on_track(self, track: Any) -> None:
        audio = track.kind == "audio"
        job = consume(track, self.listener if audio else self.watcher, self.voice if audio else self.picture)
        task = asyncio.get_running_loop().create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _changed(self) -> None:
        states = {leg.pc.connectionState for leg in self.legs}
        state = "failed" if "failed" in states else "connected" if states == {"connected"} else "connecting"
        if state != self._state and "closed" not in states:
            self._state = state
            self._on_state(state)

    async def packets(self) -> dict[str, int]:
        """RTP packets received so far, by medium."""
        counted = {"audio": 0, "video": 0}
        for leg in self.legs:
            for stat in (await leg.pc.getStats()).values():
                if stat.type == "inbound-rtp":
                    counted[stat.kind] += stat.packetsReceived
        return counted

    async def close(self) -> None:
        self._state = "closed"
        self.voice.stop()
        self.picture.stop()
        for leg in self.legs:
            leg.ready.set()
            await leg.pc.close()
        for task in list(self._tasks):
            task.cancel()
