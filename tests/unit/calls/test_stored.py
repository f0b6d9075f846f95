"""The descriptions of a call as texts. The rest of this is in test_model."""

from __future__ import annotations

import base64
import json
import xml.etree.ElementTree as ET
import zlib
from dataclasses import replace

import pytest
from msgspec import inspect

from jinglebridge import sdp
from jinglebridge.calls import model, stored
from jinglebridge.errors import Refused
from jinglebridge.jingle import Role, jingle_text
from jinglebridge.translate.described import Described
from jinglebridge.translate.outline import Late
from jinglebridge.translate.policy import NONE
from jinglebridge.translate.side import Side
from jinglebridge.xmltext import MAX_TEXT
from tests.unit.calls.world import OFFER, unpacked
from tests.unit.corpus import Round, rounds


def blank(role: Role = Role.INITIATOR, *, extensions: bool = True) -> Side:
    return Side(role, "s", NONE, extensions)


def test_descriptions_that_are_longer_than_a_stanza_are_read_again():
    """Many sections, added one by one: each fits a stanza, all together do not."""
    side = blank(extensions=False)
    (initiate,) = side.offer(sdp.parse(OFFER))
    video = initiate.contents[1]
    contents = tuple(replace(video, name=str(number)) for number in range(16))
    assert len(jingle_text(replace(initiate, contents=contents))) > MAX_TEXT
    side.own = side.own._replace(contents=contents, groups=())
    again = stored.restore(blank(extensions=False), stored.saved(side))
    assert again.own == side.own and len(again.own.contents) == 16


def test_a_foreign_element_that_is_longer_than_a_stanza_is_read_again():
    side = blank()
    side.offer(sdp.parse(OFFER))
    foreign = ET.Element("{urn:test}x", {"y": "z" * (MAX_TEXT + 1)})
    side.own = side.own._replace(unknown=(foreign,))
    again = stored.restore(blank(), stored.saved(side))
    assert again.own.unknown[0].attrib == foreign.attrib


def talking(one: Round) -> list[Side]:
    """Both sides of a negotiation between two bridges, so that all that there is is in them."""
    ours, theirs = blank(), blank(Role.RESPONDER)
    theirs.hear_offer(ours.offer(sdp.parse(one.offer)))
    ours.hear_answer(theirs.answer(sdp.parse(one.answer)))
    return [ours, theirs]


def test_every_negotiation_is_kept_as_it_is():
    """What does not count in == too, since it is in what is saved."""
    kept = 0
    for one in (one for one in rounds() if one.number == 0):
        try:
            sides = talking(one)
        except Refused:
            continue
        for side in sides:
            saved = stored.saved(side)
            again = stored.restore(blank(side.role), saved)
            assert again.own.contents == side.own.contents and again.own.groups == side.own.groups, one
            assert again.peer.contents == side.peer.contents and again.peer.groups == side.peer.groups, one
            assert stored.saved(again) == saved, one
            kept += 1
    assert kept > 500


def test_what_is_packed_soon_is_packed_once():
    kept = stored.Descriptions(soon=True)
    assert kept.to_json() == "[]" and kept.packed == b""
    side = talking(next(rounds()))[0]
    kept.replace(side)
    text = kept.to_json()
    assert kept.live is side and not kept.packed
    kept.soon = True
    small = kept.to_json()
    assert len(small) < len(text) / 2 and unpacked(small) == unpacked(text) and kept.live is None and not kept.soon
    packed = kept.packed
    kept.soon = True
    assert kept.to_json() == small and kept.packed is packed
    assert stored.saved(kept.side(blank)) == stored.saved(side)


def zipped(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode())).decode()


@pytest.mark.parametrize(
    "packed", ["no base64", "AAAA", *map(zipped, ["no json", "", "[]", "{}", "5", "null", '"x"', "[5]", '["x"]', "[[]]", "[{}]"])]
)
def test_what_is_not_packed_as_we_do_it_is_no_call(packed: str):
    with pytest.raises((ValueError, KeyError, TypeError)):
        stored.Descriptions.from_json([packed])


def test_what_came_after_packing_is_packed_with_it_when_it_is_read_again():
    kept = stored.Descriptions()
    kept.replace(talking(next(rounds()))[0])
    kept.pack()
    kept.remember(Late("0", complete=True), own=False)
    again = stored.Descriptions.from_json(json.loads(kept.to_json()))
    assert again.late == [] and unpacked(again.to_json()) == unpacked(kept.to_json())


def test_what_another_version_wrote_is_not_taken_for_a_description():
    saved = stored.saved(talking(next(rounds()))[0])
    for bad in ("<jingle/>", [], [[{"name": 1}], [], []], {"contents": []}, [[], [], ["<no xml"]]):
        with pytest.raises(ValueError):
            stored.restore(blank(), saved | {"own": bad})


# Named tuples are kept by the place of their fields. Whoever changes one of them so that a row of before would be read wrongly must raise
# `model.FORMAT` as well; a further field at the end, with a default, does no harm.
PLACES = {
    "Bandwidth": "type value",
    "Category": "name",
    "Described": "contents groups unknown",
    "FbParameter": "name value",
    "HdrextParameter": "name value",
    "HeaderExtension": "id uri senders parameters unknown",
    "Parameter": "name value",
    "PayloadType": "id name clockrate channels ptime maxptime parameters feedback trr_int unknown",
    "RtcpFb": "type subtype parameters unknown",
    "Source": "ssrc parameters unknown",
    "SourceGroup": "semantics sources unknown",
    "SourceParameter": "name value",
    "Stream": "id track",
    "TrrInt": "value",
}


def test_the_places_of_fields_are_those_of_this_format():
    found: dict[str, str] = {}

    def look(type: object) -> None:
        match type:
            case inspect.NamedTupleType(cls=cls, fields=fields) if cls.__name__ not in found:
                found[cls.__name__] = " ".join(field.name for field in fields)
                for field in fields:
                    look(field.type)
            case inspect.DataclassType(fields=fields):
                for field in fields:
                    look(field.type)
            case inspect.UnionType(types=types) | inspect.TupleType(item_types=types):
                for one in types:
                    look(one)
            case inspect.VarTupleType(item_type=item):
                look(item)

    look(inspect.type_info(Described))
    assert (model.FORMAT, found) == (1, PLACES)
