"""Addresses of candidates: the quick ways agree with `ipaddress`. J-160, J-162."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jinglebridge.jingle import ice

GROUP = st.text(alphabet="0123456789abcdefABCDEFfF", min_size=0, max_size=5)
LIKE_IPV6 = st.lists(GROUP, min_size=1, max_size=10).map(":".join) | st.ip_addresses(v=6).map(str)
LIKE_IPV4 = st.lists(st.integers(0, 300).map(str), min_size=3, max_size=5).map(".".join)


def reachable(value: str) -> bool:
    """By `ipaddress` alone."""
    try:
        ip = ipaddress.ip_address(value)
    except ValueError:
        return False
    return not (ip.is_multicast or ip.is_unspecified)


@given(LIKE_IPV6 | LIKE_IPV4, st.sampled_from(["", "", "", ":", "\n", " ", "/64", ":1.2.3.4", "٣"]))
@example("1:2:3:4:5:6:7:", ":")
@example("1:2:3:4:5:6::8", "")
@example("1:2:3:4:5:6:7::8", "")
@example("1:2:3:4::5:6:7:8", "")
@example("ff02::1", "")
@example("fF02::1", "")
@example("::", "")
@example("0::", "")
@example("f::1", "")
def test_an_address_is_taken_if_it_can_be_reached(start: str, end: str) -> None:
    value = start + end
    try:
        taken = ice.address(value) == value
    except ValueError:
        taken = False
    assert taken is reachable(value)


@given(LIKE_IPV6 | LIKE_IPV4)
def test_a_related_address_is_any(value: str) -> None:
    try:
        known = bool(ipaddress.ip_address(value))
    except ValueError:
        known = False
    assert (ice.related_or_none(value) == value) is known


@pytest.mark.parametrize("value", ["fe80::1%eth0", "fe80::%1"])
def test_a_zone_is_nobody_elses(value: str) -> None:
    assert ice.related_or_none(value) is None
    with pytest.raises(ValueError, match="zone"):
        ice.address(value)
