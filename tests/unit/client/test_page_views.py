"""Every view of the page by axe-core, in each language, light and dark, on a desk, a phone, and with text as large as some need it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_people import People
from playwright.async_api import Browser, Page
from views import Look, walk

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

AXE = Path(__file__).parent / "npm" / "node_modules" / "axe-core" / "axe.min.js"  # scripts/test installs it

# Against WCAG 2.2 AA and good practice; what is too small to be touched, wider than the page, or cut off.
FAULTS = """async () => {
  const { violations, passes } = await axe.run({
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    rules: { 'target-size': { enabled: true } },
  })
  if (passes.length < 10) throw new Error('axe has looked at nothing')
  const wrong = violations.map(({ id, nodes }) => `${id}: ${nodes[0].html} ${nodes[0].failureSummary}`)
  const open = document.querySelector('dialog[open]') ?? document
  const touched = '.controls button, #keys button, .sheet :is(select, button, input:not([type=file])), button.solid, button.icon'
  for (const one of open.querySelectorAll(touched)) {
    const { width, height, left, right } = one.getBoundingClientRect()
    const least = one.type === 'checkbox' ? 22 : 44
    const name = one.id || one.value || one.className
    if (width && Math.min(width, height) < least) wrong.push(`${name} is ${width} x ${height}`)
    if (width && (left < 0 || right > innerWidth)) wrong.push(`${name} is from ${left} to ${right} of ${innerWidth}`)
    if (width && one.scrollWidth > one.clientWidth + 1) wrong.push(`${name} cuts its text off`)
  }
  for (const one of document.querySelectorAll('.who, #result')) {
    const { top, height } = one.getBoundingClientRect()
    if (height && top < 0) wrong.push(`${one.className || one.id} begins at ${top}`)
  }
  if (document.documentElement.scrollWidth > innerWidth) wrong.push('wider than the page')
  return JSON.stringify(wrong)
}"""

# Can all of it be seen by scrolling? What lies below a part that does not scroll cannot.
HIDDEN_BELOW = """() => {
  const [call, hang] = ['call', 'hang-up'].map((id) => document.getElementById(id))
  const { width, bottom } = hang.getBoundingClientRect()
  return width > 0 && bottom > innerHeight + call.scrollHeight - call.clientHeight - call.scrollTop
}"""

LOOKS = {
    "light": Look(),
    "dark": Look(scheme="dark", locale="de-DE"),
    "phone": Look(390, 844, locale="de-AT"),
    "phone-dark": Look(390, 844, "dark"),
    "zoomed": Look(640, 400),  # a window of 1280 x 800 at 200 %
    "large-text": Look(text=200),
    "narrow": Look(320, 640, locale="de-DE"),  # WCAG 1.4.10
}
ORDINARY = "phone-dark"


async def faults(page: Page) -> list[str]:
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text())
    found = list(json.loads(await page.evaluate(FAULTS)))
    return found + ["hang up is below the page"] * await page.evaluate(HIDDEN_BELOW)


@pytest.mark.parametrize("look", [name if name == ORDINARY else pytest.param(name, marks=pytest.mark.long) for name in LOOKS])
async def test_nothing_is_wrong_with_any_view(people: People, browser: Browser, look: str) -> None:
    seen: dict[str, list[str]] = {}
    async for name, page in walk(people, browser, LOOKS[look]):
        seen[name] = await faults(page)
    assert len(seen) == 24
    assert {name: wrong for name, wrong in seen.items() if wrong} == {}
