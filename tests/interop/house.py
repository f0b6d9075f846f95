"""Two web users of one bridge and what their tests share: the browsers, and calls that are up with media."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from jinglebridge.demo.lab import Ejabberd

from .bridge import BridgeProcess
from .rtc import Browsers
from .servers import unique_user
from .test_contact import two_tones
from .users import WebUser, talk

TONES = two_tones()
CC, CF, FC = "chromium,chromium", "chromium,firefox", "firefox,chromium"


@pytest.fixture(scope="module")
def bridge(ejabberd: Ejabberd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    bridge = BridgeProcess(tmp_path_factory.mktemp("bridge"), ejabberd)
    yield bridge
    bridge.close()


class House:
    """The browsers, and the bridge that their pages speak to. `stack` is emptied after each test."""

    def __init__(self, browsers: Browsers, bridge: BridgeProcess, at: str = "") -> None:
        self.browsers, self.bridge, self.at = browsers, bridge, at
        self.stack = AsyncExitStack()

    async def page(self, browser: str, name: str, hz: int, *contacts: str) -> WebUser:
        user = await WebUser.open(await self.browsers.browser(browser), self.bridge, name, hz, *contacts, at=self.at)
        self.stack.push_async_callback(user.close)
        return user

    async def pair(self, browsers: str) -> tuple[WebUser, WebUser]:
        """Two people who know each other."""
        names = unique_user("a"), unique_user("b")
        first, second = browsers.split(",")
        a = await self.page(first, names[0], TONES[0], self.bridge.jid(names[1]))
        b = await self.page(second, names[1], TONES[1], self.bridge.jid(names[0]))
        await a.knows(b.jid)
        return a, b

    async def call(self, browsers: str, *, video: bool = True) -> tuple[WebUser, WebUser]:
        """A call from the first to the second, up and with media."""
        a, b = await self.pair(browsers)
        await a.ask("call", b.jid, {"video": video})
        await b.state("incoming")
        await b.ask("accept", {"video": video})
        await talk(a, b, video=video)
        return a, b


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_house(bridge: BridgeProcess, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        yield House(Browsers(stack, tmp_path_factory.mktemp("firefox"), f"{bridge.url}/healthz"), bridge)


@pytest_asyncio.fixture(loop_scope="module")
async def house(open_house: House) -> AsyncIterator[House]:
    async with open_house.stack:
        yield open_house


async def over(a: WebUser, b: WebUser, reason_of_a: str = "ended", reason_of_b: str = "ended") -> None:
    """Both know that the call is over, and nothing went wrong on the way."""
    for user, reason in ((a, reason_of_a), (b, reason_of_b)):
        assert (await user.state("ended"))["reason"] == reason
        assert (await user.ask("report"))["problems"] == []
