"""Senders and directions: the conversion by role of the author. It lives with the roles; this is its public name. Table M-2."""

from jinglebridge.jingle.roles import Role, Senders, both_allow, direction_to_senders, senders_to_direction

__all__ = ["Role", "Senders", "both_allow", "direction_to_senders", "senders_to_direction"]
