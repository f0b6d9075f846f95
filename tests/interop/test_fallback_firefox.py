"""Firefox and Chromium in a network that lets no WebSocket through. The ordinary run has test_fallback.py."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from jinglebridge.demo.lab import Ejabberd

from .bridge import BridgeProcess
from .middlebox import Middlebox
from .rtc import Browsers
from .servers import unique_user
from .test_contact import two_tones
from .users import WebUser, talk

TONES = two_tones()


@pytest.mark.long
@pytest.mark.parametrize("browsers", ["firefox,chromium", "chromium,firefox"])
async def test_a_call_over_a_cut(ejabberd: Ejabberd, tmp_path: Path, browsers: str) -> None:
    bridge = BridgeProcess(tmp_path / "bridge", ejabberd, start=False)
    box = Middlebox(bridge.port)
    bridge.url = box.url
    bridge.write_config(web={"public_url": box.url})
    async with AsyncExitStack() as stack:
        stack.callback(box.close)
        stack.callback(bridge.close)
        bridge.start()
        there = Browsers(stack, tmp_path, f"{box.url}/healthz")
        first, second = [await there.browser(name) for name in browsers.split(",")]
        names = unique_user("a"), unique_user("b")
        a = await WebUser.open(first, bridge, names[0], TONES[0], bridge.jid(names[1]))
        stack.push_async_callback(a.close)
        b = await WebUser.open(second, bridge, names[1], TONES[1], bridge.jid(names[0]))
        stack.push_async_callback(b.close)
        await a.knows(b.jid)
        await a.ask("call", b.jid, {"video": True})
        await b.state("incoming")
        await b.ask("accept", {"video": True})
        await talk(a, b)
        assert box.refused >= 2 and box.count("GET /ws") == 0 and box.count("GET /stream") == 2
        box.cut()
        await talk(a, b)
        await b.ask("hangUp")
        box.mend()
        for user in (a, b):
            assert (await user.state("ended"))["reason"] == "ended"
        assert box.count("GET /stream") >= 4
