"""What is remembered of people between runs: who sees whom, and which pages were open.

Spec: RFC 6121 §3.1; DESIGN §2; J-036.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SubscriptionWord = Literal["none", "to", "from", "both", "pending-out", "pending-in"]


@dataclass(frozen=True, slots=True)
class Subscription:
    """`to`: we see them; `from_`: they see us; `asked`: we asked; `asking`: they asked and nobody decided yet."""

    to: bool = False
    from_: bool = False
    asked: bool = False
    asking: bool = False
    wanted: bool = False  # named as a contact by the user's token or by the user: may subscribe without asking

    @property
    def known(self) -> bool:
        """A contact, not somebody who merely asks to be one."""
        return self.to or self.from_ or self.wanted

    @property
    def word(self) -> SubscriptionWord:
        """The JSON protocol's word."""
        if self.to or self.from_:
            return "both" if self.to and self.from_ else "to" if self.to else "from"
        return "pending-in" if self.asking else "pending-out" if self.asked else "none"


@dataclass(frozen=True, slots=True)
class SavedSession:
    """A web session as it survives a kill of the bridge: its address belongs to the page, not to the process."""

    jid: str
    user: str
    name: str
    contacts: tuple[str, ...]
    may_call: tuple[str, ...]
    video: bool
    secret_hash: str
