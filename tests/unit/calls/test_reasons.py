"""Table M-9 both ways."""

from __future__ import annotations

import pytest

from jinglebridge.calls.reasons import END_REASONS, FROM_JINGLE, TO_JINGLE, from_jingle

# XEP-0166 §7.4.
CONDITIONS = {
    "alternative-session",
    "busy",
    "cancel",
    "connectivity-error",
    "decline",
    "expired",
    "failed-application",
    "failed-transport",
    "general-error",
    "gone",
    "incompatible-parameters",
    "media-error",
    "security-error",
    "success",
    "timeout",
    "unsupported-applications",
    "unsupported-transports",
}


def test_every_reason_can_be_said_and_every_condition_is_known():
    assert set(TO_JINGLE) == set(END_REASONS)
    assert set(FROM_JINGLE) == CONDITIONS
    assert set(FROM_JINGLE.values()) <= set(END_REASONS)
    assert {jingle for jingle, _ in TO_JINGLE.values()} <= CONDITIONS


def test_finish_tells_no_more_than_three_reasons():
    """J-065: details are not leaked."""
    assert {finish for _, finish in TO_JINGLE.values()} == {"success", "expired", "connectivity-error"}


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (None, "ended"),
        ("success", "ended"),
        ("alternative-session", "ended"),
        ("failed_application", "failed-media"),
        ("failed_transport", "failed-ice"),
        ("no-such-reason", "failed"),
        ("media-error", "failed"),
        ("expired", "failed"),
        ("application-error", "failed"),  # Monal's own
    ],
)
def test_a_reason_from_the_wire_always_means_something(condition, reason):
    """J-095."""
    assert from_jingle(condition) == reason


@pytest.mark.parametrize("reason", sorted(set(END_REASONS) - {"elsewhere", "unreachable", "overload", "moved", "too-long"}))
def test_what_we_say_is_understood_again(reason):
    assert from_jingle(TO_JINGLE[reason][0]) == reason
