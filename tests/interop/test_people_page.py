"""The contact parts of the page in a real Chromium, with the keyboard alone, and with more contacts than anybody has."""

from __future__ import annotations

import base64
import hashlib
import io
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from playwright.sync_api import expect, sync_playwright

from jinglebridge.calls.people import Contact
from jinglebridge.demo.lab import Ejabberd
from jinglebridge.store.sqlite import SqliteStore

from .bridge import BridgeProcess
from .browser import Person, person
from .raw import CLIENT, RawXmpp
from .servers import unique_user

MANY = 5000
PHOTO = "{vcard-temp:x:update}x/{vcard-temp:x:update}photo"
PICTURE = Path(__file__).parents[2] / "docs" / "images" / "home.png"


@pytest.fixture(scope="module")
def bridge(ejabberd: Ejabberd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    """`hoarder` has 5000 contacts from earlier."""
    folder = tmp_path_factory.mktemp("bridge")
    bridge = BridgeProcess(folder, ejabberd, start=False)
    (folder / "store").mkdir(mode=0o700)
    store = SqliteStore(folder / "store" / "jinglebridge.db")
    for number in range(MANY):
        row = Contact(bridge.jid("hoarder"), f"friend{number}@{ejabberd.domain}", to=True, from_=True, name=f"Friend Number {number}")
        store.save(row)
    store.close()
    bridge.start()
    yield bridge
    bridge.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    folder: Path = tmp_path_factory.mktemp("page")
    with sync_playwright() as playwright, person(playwright, folder, 500) as p:
        yield p
        assert p.problems == []


def test_requests_are_decided_with_the_keyboard(bridge: BridgeProcess, ejabberd: Ejabberd, page: Person) -> None:
    user = unique_user("wanda")
    page.open(bridge.link(user))
    tab = page.page
    with RawXmpp(ejabberd, unique_user("rosa")) as rosa, RawXmpp(ejabberd, unique_user("mallory")) as mallory:
        for im in (rosa, mallory):
            im.send(f"<presence type='subscribe' to='{bridge.jid(user)}'/>")
        page.sees(f"{rosa.jid} wants to see when you are here")
        expect(tab.get_by_role("status").filter(has_text="wants to see when you are here")).to_have_count(1)  # read aloud
        tab.get_by_role("button", name=f"Allow {rosa.jid}").press("Enter")
        rosa.wait(lambda e: e.get("type") == "subscribed" and e.get("from") == bridge.jid(user))
        tab.get_by_role("button", name=f"Refuse {mallory.jid}").press("Enter")
        mallory.wait(lambda e: e.get("type") == "unsubscribed" and e.get("from") == bridge.jid(user))
        expect(tab.get_by_role("list", name="People who ask")).to_be_hidden()
        expect(tab.get_by_role("heading", name="Contacts")).to_be_focused()  # where the row was, there is nothing to be on

        name = rosa.jid.partition("@")[0]
        more = tab.get_by_label(f"More about {name}")
        more.press("Enter")
        tab.get_by_role("button", name=f"Block {name}").press("Enter")
        page.sees("Blocked")
        rosa.wait(lambda e: e.get("type") == "unavailable" and e.get("from", "").startswith(bridge.jid(user)))
        expect(tab.get_by_role("button", name=f"Call {name}", exact=True)).to_be_hidden()
        tab.get_by_role("button", name=f"Unblock {name}").press("Enter")
        tab.get_by_role("button", name=f"Remove {name}").press("Enter")
        page.sees("Nobody is here yet")

        field = tab.get_by_label("Add somebody by address")
        field.fill(bridge.jid(user))
        field.press("Enter")
        page.sees("This is your own address")
        field.fill(mallory.jid)
        field.press("Enter")
        mallory.wait(lambda e: e.get("type") == "subscribe" and e.get("from") == bridge.jid(user))
        page.sees("Has not answered yet")


def test_a_picture_is_chosen_in_the_page_and_seen_by_a_contact(bridge: BridgeProcess, ejabberd: Ejabberd, page: Person) -> None:
    """Cut to its middle and made small by the page: a contact gets a JPEG of 192 pixels, whatever was chosen."""
    user = unique_user("wanda")
    with RawXmpp(ejabberd, unique_user("rosa")) as rosa:
        page.open(bridge.link(user, rosa.jid))
        rosa.wait(lambda e: e.get("type") == "subscribe")
        rosa.send(f"<presence type='subscribed' to='{bridge.jid(user)}'/><presence type='subscribe' to='{bridge.jid(user)}'/>")
        page.sees("Online")
        tab = page.page
        tab.get_by_role("button", name="Settings").press("Enter")
        with tab.expect_file_chooser() as chosen:
            tab.get_by_role("button", name="Choose a picture").press("Enter")
        chosen.value.set_files(PICTURE)
        expect(tab.get_by_role("status").filter(has_text="Your contacts see the new picture")).to_have_count(1)
        update = rosa.wait(lambda e: e.tag == f"{CLIENT}presence" and bool(e.findtext(PHOTO)))
        data = base64.b64decode(
            rosa.ask("<vCard xmlns='vcard-temp'/>", to=bridge.jid(user), kind="get").findtext(".//{vcard-temp}BINVAL", "")
        )
        assert hashlib.sha1(data).hexdigest() == update.findtext(PHOTO)
        frame = av.open(io.BytesIO(data)).decode(video=0).__next__()
        assert data[:3] == b"\xff\xd8\xff" and (frame.width, frame.height) == (192, 192)
        with tab.expect_file_chooser() as chosen:
            tab.get_by_role("button", name="Choose a picture").press("Enter")
        chosen.value.set_files(Path(__file__))
        expect(tab.get_by_role("alert").filter(has_text="could not be used as a picture")).to_have_count(1)


def test_a_page_with_five_thousand_contacts_opens(bridge: BridgeProcess, page: Person) -> None:
    began = time.monotonic()
    page.open(bridge.link("hoarder"))
    expect(page.page.locator("#contacts > li")).to_have_count(MANY, timeout=30_000)
    assert page.page.evaluate("window.jinglebridge.bridge.state") == "online"
    assert time.monotonic() - began < 30
    assert page.page.evaluate("window.jinglebridge.bridge.contacts.length") == MANY
