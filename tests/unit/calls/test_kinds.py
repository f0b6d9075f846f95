"""A peer is recognised by its caps, and each kind's data agree with one another."""

from __future__ import annotations

import pytest

from jinglebridge.calls.kinds import BRIDGE, KINDS, NODES, UNKNOWN, kind_of
from jinglebridge.calls.model import PeerInfo, PeerResource
from jinglebridge.jingle.private import NS
from jinglebridge.translate.policy import POLICIES


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ("https://dino.im", "dino"),
        ("http://conversations.im", "conversations"),
        ("https://www.conversations.im/", "conversations"),
        ("http://monal-im.org/", "monal"),
        ("https://movim.eu/#x", "movim"),
        ("https://stanzajs.org", "stanza"),
        ("https://dino.im.example.org", "unknown"),
        ("dino.im", "unknown"),
        ("", "unknown"),
    ],
)
def test_kind_by_the_node_of_the_caps(node, name):
    assert kind_of(node, frozenset()).name == name == kind_of(node, None).name


def test_another_bridge_is_known_by_its_namespace():
    assert kind_of("https://dino.im", frozenset({NS})) is BRIDGE
    info = PeerInfo(resources=(PeerResource("a@b/c", frozenset({NS})), PeerResource("a@b/d", None, 0, "https://dino.im")))
    assert (info.kind("a@b/c"), info.kind("a@b/d").name, info.kind("a@b/e")) == (BRIDGE, "dino", UNKNOWN)


def test_each_kind_has_the_policy_of_its_name_and_only_a_bridge_the_extensions():
    assert set(NODES.values()) <= set(KINDS)
    for name, kind in KINDS.items():
        assert kind.name == name and kind.extensions == (kind is BRIDGE)
        if kind not in (UNKNOWN, BRIDGE):
            assert kind.policy is POLICIES[name]
