"""Why a call ended, in the three languages that say so: JSON, Jingle, JMI.

One table, read in both directions; `moved` is never read from a reason, but from the element that says so. Spec: conformance
table M-9; XEP-0166 §7.4; J-065, J-067, J-069, J-092.
"""

from __future__ import annotations

from typing import Literal, get_args

EndReason = Literal[
    "ended",  # somebody hung up
    "cancelled",  # the caller gave up before an answer
    "declined",
    "busy",
    "no-answer",
    "elsewhere",  # another page or device of the same user answered
    "unreachable",  # no such contact, not allowed, or no device that can take the call
    "failed-ice",
    "failed-media",
    "insecure",  # no DTLS fingerprint, or media that differs from what was proposed
    "gone",  # the other side vanished
    "overload",
    "too-long",  # the longest time that a call may take is over: its TURN credentials will not be renewed
    "moved",
    "failed",
]
END_REASONS: tuple[str, ...] = get_args(EndReason)

# JSON reason -> (Jingle reason in session-terminate, JMI reason in finish)
TO_JINGLE: dict[str, tuple[str, str]] = {
    "ended": ("success", "success"),
    "cancelled": ("cancel", "success"),
    "declined": ("decline", "success"),
    "busy": ("busy", "success"),
    "no-answer": ("timeout", "success"),
    "elsewhere": ("cancel", "success"),
    "unreachable": ("gone", "connectivity-error"),
    "failed-ice": ("connectivity-error", "connectivity-error"),
    "failed-media": ("failed-application", "expired"),
    "insecure": ("security-error", "success"),
    "gone": ("gone", "connectivity-error"),
    "overload": ("general-error", "success"),
    "too-long": ("success", "success"),
    "moved": ("expired", "expired"),
    "failed": ("general-error", "success"),
}

FROM_JINGLE: dict[str, EndReason] = {
    "success": "ended",
    "alternative-session": "ended",
    "cancel": "cancelled",
    "decline": "declined",
    "busy": "busy",
    "timeout": "no-answer",
    "connectivity-error": "failed-ice",
    "failed-transport": "failed-ice",
    "unsupported-transports": "failed-ice",
    "failed-application": "failed-media",
    "incompatible-parameters": "failed-media",
    "unsupported-applications": "failed-media",
    "media-error": "failed",
    "security-error": "insecure",
    "gone": "gone",
    "expired": "failed",
    "general-error": "failed",
}


def from_jingle(condition: str | None) -> EndReason:
    """JSON reason for a Jingle reason; a missing one means a normal end (QXmpp), an unknown one a failure. J-095."""
    if condition is None:
        return "ended"
    # COMPAT(Dino 0.4.2): writes failed_application and failed_transport with an underscore.
    return FROM_JINGLE.get(condition.replace("_", "-"), "failed")
