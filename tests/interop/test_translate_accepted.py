"""What the translator writes, Chromium takes: every description of the corpus, and the stanzas of real clients.

An answer cannot be set without the offer that its browser made, so answers are set as offers: RFC 5763 §5 lets an offer say
a=setup:active, and everything else in an answer may stand in an offer as well.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from jinglebridge.errors import Refused
from jinglebridge.translate import sdp_to_xml, xml_to_sdp
from tests.unit.cases import CASES
from tests.unit.corpus import Description, whole_corpus

from .rtc import Browser, chromium, empty_page

pytestmark = pytest.mark.asyncio(loop_scope="module")

TAKE = """async (sdps) => {
  const problems = {}
  for (const [name, sdp] of Object.entries(sdps)) {
    const pc = new RTCPeerConnection()
    try {
      await pc.setRemoteDescription({ type: 'offer', sdp })
    } catch (problem) {
      problems[name] = problem.message
    }
    pc.close()
  }
  return problems
}"""
AT_ONCE = 100  # Chromium keeps closed peer connections until it cleans up, and allows 500 in a page


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with empty_page() as url, chromium(url) as running:
        yield running


def described() -> list[Description]:
    return [item._replace(case=f"{item.case} {item.kind}") for item in whole_corpus()]


def through(item: Description, *, extensions: bool) -> str:
    """The description as Jingle text and back."""
    xml = sdp_to_xml(item.sdp, item.author, answer=item.kind == "answer", extensions=extensions)
    return xml_to_sdp(xml, item.author, extensions=extensions)


async def refused(browser: Browser, sdps: dict[str, str]) -> dict[str, str]:
    """Names of the descriptions that Chromium does not take, and why."""
    names = list(sdps)
    problems = {}
    for at in range(0, len(names), AT_ONCE):
        some = {name: sdps[name] for name in names[at : at + AT_ONCE]}
        page = await browser.page()
        problems |= await page.run(f"({TAKE})({json.dumps(some)})")
        await page.close()
    return problems


async def test_chromium_takes_every_description_of_the_corpus(browser: Browser) -> None:
    sdps = {item.case: through(item, extensions=False) for item in described()}
    assert len(sdps) > 800 and await refused(browser, sdps) == {}


async def test_chromium_takes_with_extensions_what_it_takes_without_us(browser: Browser) -> None:
    """Extensions bring back a description with its faults: some offers of Firefox name payload types that they do not list."""
    originals = {item.case: item for item in described()}
    problems = await refused(browser, {name: through(item, extensions=True) for name, item in originals.items()})
    assert len(problems) < 5
    assert set(await refused(browser, {name: originals[name].sdp for name in problems})) == set(problems)


# COMPAT(Gajim 1.7, QXmpp 1.4): no DTLS, so that no browser could talk to them.
WITHOUT_DTLS = ("gajim-1", "gajim-2", "gajim-to-stanza-1", "qxmpp-1", "qxmpp-3", "stanza-to-qxmpp-1")


async def test_chromium_takes_what_real_clients_say(browser: Browser) -> None:
    """Dino, stanza.js, and the answers to them; those without DTLS are refused with the reason that a peer is to hear."""
    sdps, reasons = {}, {}
    written = [path for folder in ("dino", "traces") for path in sorted((CASES / folder).glob("*.xml"))]
    for path in (path for path in written if path.stem.endswith(("-session-initiate", "-session-accept"))):
        try:
            sdps[path.stem] = xml_to_sdp(path.read_text().strip(), "responder" if "accept" in path.stem else "initiator")
        except Refused as refusal:
            reasons[path.stem.partition("-session")[0]] = refusal.reason
    assert reasons == dict.fromkeys(WITHOUT_DTLS, "security-error")
    assert len(sdps) >= 15 and await refused(browser, sdps) == {}


async def test_chromium_refuses_what_is_wrong(browser: Browser) -> None:
    """So that the tests above can fail."""
    assert len(await refused(browser, {"wrong": "v=0\r\nm=audio 9 X 1\r\n"})) == 1
