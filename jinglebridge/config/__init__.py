"""The configuration: one TOML file, each key also as an environment variable, each secret also as a file.

`jinglebridge check-config` runs `load`. Spec: DESIGN §3 (Config), §5.
"""

from __future__ import annotations

from jinglebridge.config.checks import is_loopback, split_address
from jinglebridge.config.model import Admin, Config, LimitsConfig, Policy, Store, TokenKey, Tokens, Turn, Web, Xmpp
from jinglebridge.config.reading import load
from jinglebridge.config.sample import sample

__all__ = [
    "Admin",
    "Config",
    "LimitsConfig",
    "Policy",
    "Store",
    "TokenKey",
    "Tokens",
    "Turn",
    "Web",
    "Xmpp",
    "is_loopback",
    "load",
    "sample",
    "split_address",
]
