"""Settings, languages and the search for contacts, in a real Chromium."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from call_pages import press
from fake_people import HEBREW, LONG, MARKUP, People
from playwright.async_api import Browser, BrowserContext, Page, expect

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

# What the page does with sound and notifications, written down.
SPY = """() => {
  window.rung = 0
  const real = AudioContext.prototype.createOscillator
  AudioContext.prototype.createOscillator = function () { window.rung++; return real.call(this) }
  window.notes = []
  const Real = window.Notification
  window.Notification = class extends Real {
    constructor(title, options) { super(title, options); window.notes.push([title, options.body]) }
    close() { super.close(); window.notes.push('closed') }
  }
}"""


@pytest_asyncio.fixture(loop_scope="module")
async def german(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(locale="de-CH", permissions=["camera", "microphone", "notifications"])
    yield context
    await context.close()


async def open_page(context: BrowserContext, url: str) -> Page:
    page = await context.new_page()
    await page.add_init_script(f"({SPY})()")
    await page.goto(url)
    await expect(page.locator("body[data-view=home]")).to_have_count(1)
    return page


async def said(page: Page, text: str) -> None:
    await expect(page.get_by_role("status").filter(has_text=text)).to_have_count(1)


async def test_the_language_is_the_browsers_until_another_is_chosen(people: People, german: BrowserContext) -> None:
    page = await open_page(german, f"{people.url}#token=alice")
    html = page.locator("html")
    await expect(html).to_have_attribute("lang", "de")
    await expect(page).to_have_title("Anrufe")
    await expect(page.get_by_role("button", name="Bob anrufen", exact=True)).to_be_visible()
    await expect(page.get_by_text("Bitte nicht stören · In the pod bay")).to_be_visible()
    await expect(page.locator("#warnings li")).to_have_attribute("lang", "en")  # the bridge speaks English
    await expect(page.locator("#history .what").first).to_have_text("Ausgehender Videoanruf, 1:15")
    await expect(page.locator("#requests .allow")).to_have_text("Erlauben")
    await press(page, "Erin anrufen")
    await press(page, "Auflegen")
    await expect(page.locator("#result")).to_contain_text("Sie haben den Anruf abgebrochen.")
    await press(page, "Einstellungen")
    await page.get_by_label("Sprache").select_option("English")
    await expect(html).to_have_attribute("lang", "en")
    for role, name in (("heading", "Settings"), ("button", "Done")):
        await expect(page.get_by_role(role, name=name)).to_be_visible()  # type: ignore[arg-type]
    await press(page, "Done")
    await expect(page.locator("#result")).to_contain_text("You cancelled the call.")
    await expect(page.locator("#requests .allow")).to_have_text("Allow")
    for name in ("Settings", "Call Bob", f"Call {MARKUP} again", "Allow rosa@call.example.org"):
        await expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
    await expect(page).to_have_title("Calls")
    again = await open_page(german, f"{people.url}#token=alice")
    await expect(again.locator("html")).to_have_attribute("lang", "en")
    assert await again.evaluate("localStorage.getItem('jinglebridge.settings')") == '{"language":"en"}'
    await press(again, "Settings")
    await again.get_by_label("Language").select_option(index=0)
    await expect(again.get_by_role("heading", name="Einstellungen")).to_be_visible()
    assert await again.evaluate("localStorage.length") == 0, "what is as usual is not kept"


async def test_a_file_of_words_that_does_not_come_leaves_english(people: People, german: BrowserContext) -> None:
    await german.route("**/words-de.js", lambda route: route.abort())
    page = await open_page(german, f"{people.url}#token=alice")
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await expect(page.get_by_role("heading", name="Contacts")).to_be_visible()


async def test_light_and_dark_are_as_the_system_has_them_or_as_chosen(people: People, browser: Browser) -> None:
    context = await browser.new_context(color_scheme="dark")
    page = await open_page(context, f"{people.url}#token=alice")
    dark, light = "rgb(17, 22, 27)", "rgb(245, 244, 240)"
    body = page.locator("body")
    await expect(body).to_have_css("background-color", dark)
    await press(page, "Settings")
    await page.get_by_label("Appearance").select_option("Light")
    await expect(body).to_have_css("background-color", light)
    await page.reload()
    await expect(body).to_have_css("background-color", light)
    await page.emulate_media(color_scheme="light")
    await press(page, "Settings")
    await page.get_by_label("Appearance").select_option("Dark")
    await expect(body).to_have_css("background-color", dark)
    await context.close()


async def test_contacts_are_found_and_counted_aloud(people: People, browser: Browser) -> None:
    context = await browser.new_context()
    page = await open_page(context, f"{people.url}#token=alice")
    seen = page.locator("#contacts > li:visible .name")
    field = page.get_by_role("searchbox", name="Search contacts")
    await expect(page.get_by_role("search")).to_be_visible()
    await field.press_sequentially("MULLER")
    await expect(seen).to_have_text(["Zoë Müller"])
    await said(page, "One contact found.")
    await field.fill("call.example.org a")
    await said(page, "9 contacts found.")
    await field.fill("nobody here")
    await expect(seen).to_have_count(0)
    await expect(page.locator("#search-none")).to_have_text("No contact is called that.")
    await said(page, "No contact is called that.")
    await field.press("Escape")
    await expect(field).to_have_value("")
    await expect(field).to_be_focused()
    await expect(seen).to_have_count(len(people.contacts_of("alice")) - 1)  # one asks
    await context.close()


async def test_names_are_text_whatever_they_hold(people: People, browser: Browser) -> None:
    context = await browser.new_context()
    page = await open_page(context, f"{people.url}#token=alice")
    names = await page.locator("#contacts .name").all_text_contents()
    assert {MARKUP, LONG, HEBREW, "Mallory gnp.exe"} <= set(names), "not turned round into exe.png"
    assert await page.locator("main :is(b, img, script)").count() == 0
    row = page.locator("#contacts .name", has_text=HEBREW)
    left = await page.locator("#contacts .name", has_text="Bob").bounding_box()
    box = await row.evaluate("""(element) => {
      const range = document.createRange()
      range.selectNodeContents(element)
      return range.getBoundingClientRect().left
    }""")
    assert left is not None and abs(box - left["x"]) < 2, "a name from right to left begins where all names do"
    await page.locator("#contacts > li", has_text=LONG).get_by_role("button", name="Call").first.click()
    await expect(page.locator("#call-name")).to_have_text(LONG)
    inside = await page.locator("#call-name").bounding_box()
    stage = await page.locator("#stage").bounding_box()
    assert inside and stage and inside["width"] <= stage["width"]
    await press(page, "Hang up")
    await context.close()


async def test_a_call_is_notified_while_nobody_looks(people: People, browser: Browser) -> None:
    context = await browser.new_context(permissions=["microphone", "notifications"])
    alice, bob = [await open_page(context, f"{people.url}#token={user}") for user in ("alice", "bob")]
    await press(bob, "Settings")
    await bob.get_by_label("Notify me of calls while I look at something else").check()
    await press(bob, "Done")
    await bob.evaluate("document.hasFocus = () => false")
    await press(alice, "Call Bob")
    await expect(bob).to_have_title("Alice Liddell is calling")
    assert await bob.evaluate("notes") == [["Alice Liddell is calling", "Audio call"]]
    assert await bob.evaluate("rung") > 0
    await press(alice, "Hang up")
    await expect(bob).to_have_title("Calls")
    assert await bob.evaluate("notes.at(-1)") == "closed"
    await press(bob, "Settings")
    await bob.get_by_label("Notify me").uncheck()
    await bob.get_by_label("Ring when somebody calls").uncheck()
    await press(bob, "Done")
    await bob.evaluate("window.rung = 0")
    await press(alice, "Call again")
    await expect(bob.get_by_role("dialog")).to_be_visible()
    await expect(bob).to_have_title("Alice Liddell is calling")
    assert await bob.evaluate("[rung, notes.length]") == [0, 2]
    await press(bob, "Decline")
    await context.close()


async def test_notifications_that_the_browser_forbids_are_explained(people: People, browser: Browser) -> None:
    context = await browser.new_context()
    page = await open_page(context, f"{people.url}#token=alice")
    await page.evaluate("Notification.requestPermission = async () => 'denied'")
    await press(page, "Settings")
    box = page.get_by_label("Notify me")
    await box.click()
    alert = page.get_by_role("dialog").get_by_role("alert")  # nothing outside is read now
    await expect(alert).to_contain_text("The browser does not let this page notify you.")
    await expect(page.locator("#notify-note")).to_be_visible()
    await expect(box).not_to_be_checked()
    await context.close()


async def test_a_speaker_is_chosen_and_tried(people: People, browser: Browser) -> None:
    context = await browser.new_context(permissions=["camera", "microphone"])
    page = await open_page(context, f"{people.url}#token=alice")
    await press(page, "Microphone and camera")
    await expect(page.locator("#preview")).to_be_visible()
    speaker = page.get_by_label("Speaker", exact=True)
    assert len(await speaker.locator("option").all()) > 2
    await speaker.select_option(index=2)
    chosen = await speaker.input_value()
    sink = "document.getElementById('remote-audio').sinkId"
    async with asyncio.timeout(20):
        while await page.evaluate(sink) != chosen:
            await page.wait_for_timeout(20)
    await press(page, "Play a sound")
    async with asyncio.timeout(20):
        while await page.evaluate("rung") == 0:
            await page.wait_for_timeout(20)
    await page.goto("about:blank")
    page = await open_page(context, f"{people.url}#token=alice")
    async with asyncio.timeout(20):
        while await page.evaluate(sink) != chosen:
            await page.wait_for_timeout(20)
    await context.close()


async def test_a_name_of_ones_own_is_told_to_the_bridge(people: People, browser: Browser) -> None:
    """Only who proved an address is asked for one."""
    context = await browser.new_context()
    page = await open_page(context, f"{people.url}#device=good")
    await press(page, "Settings")
    await page.get_by_label("Name that others see").fill("  Ally ")
    async with asyncio.timeout(20):
        await press(page, "Done")
        while people.log[-1:] == [] or not any(getattr(frame, "name", None) == "Ally" for frame in people.log):
            await page.wait_for_timeout(20)
    await expect(page.locator("body[data-view=home]")).to_have_count(1)
    await page.goto("about:blank")
    page = await open_page(context, f"{people.url}#token=bob")
    await press(page, "Settings")
    await expect(page.get_by_label("Name that others see")).to_be_hidden()
    await context.close()


async def test_a_speaker_that_the_browser_lists_itself(people: People, browser: Browser) -> None:
    """Firefox shows pages no speakers until the person has chosen one in its own list."""
    context = await browser.new_context(permissions=["camera", "microphone"])
    await context.add_init_script("""navigator.mediaDevices.selectAudioOutput = async () => {
      const all = await navigator.mediaDevices.enumerateDevices()
      return all.filter(({ kind }) => kind === 'audiooutput').at(-1)
    }""")
    page = await open_page(context, f"{people.url}#token=alice")
    await press(page, "Microphone and camera")
    await expect(page.locator("#preview")).to_be_visible()
    await press(page, "Choose another speaker…")
    async with asyncio.timeout(20):
        while not await page.evaluate("document.getElementById('remote-audio').sinkId"):
            await page.wait_for_timeout(20)
    assert await page.evaluate("document.getElementById('remote-audio').sinkId") == await page.locator("#speaker-choice").input_value()
    await context.close()


async def test_a_guest_who_reloads_the_page_in_a_call_calls_again_with_one_press(people: People, browser: Browser) -> None:
    context = await browser.new_context(permissions=["camera", "microphone"])
    alice = await open_page(context, f"{people.url}#token=alice")
    page = await open_page(context, f"{people.url}c/good")
    await page.get_by_label("Your name").fill("Anna")
    await press(page, "Call")
    await press(alice, "Accept")
    await expect(page.locator("#call-state")).to_have_text("Connected")
    page.on("dialog", lambda dialog: dialog.accept())  # it warns
    await page.reload()
    await expect(page.locator("#result-text")).to_have_text("The page was loaded anew, so the call with Alice Liddell ended.")
    await expect(alice.locator("#result")).to_contain_text("The call was lost")
    assert await page.evaluate("sessionStorage.length") == 0
    await press(alice, "Close")
    await press(page, "Call again")
    await press(alice, "Accept")
    await expect(page.locator("#call-state")).to_have_text("Connected")
    await press(page, "Hang up")
    await context.close()
