"""The tree of errors is the one drawn in its module."""

from __future__ import annotations

import inspect
import re

from jinglebridge import errors
from jinglebridge.errors import CommandError, EndpointError, JingleBridgeError, Refused, SdpError, SessionExpired


def test_the_drawing_names_every_class():
    drawn = set(re.findall(r"\+- (\w+)", str(errors.__doc__))) | {"JingleBridgeError"}
    assert drawn == {name for name, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, JingleBridgeError)}


def test_errors_carry_their_answer():
    assert str(SdpError("x", line=3, rule="J-1")) == "line 3: x (J-1)" and SdpError("x").line == 0
    assert Refused("x", reason="security-error").reason == "security-error"
    refused = EndpointError("not-negotiable", "why", what="add")
    assert (refused.code, refused.what, str(refused)) == ("not-negotiable", "add", "why")


def test_errors_of_commands_name_their_condition():
    assert CommandError("bad-payload", "why").command == "bad-payload" and SessionExpired().command == "session-expired"
    assert (SessionExpired.type, SessionExpired.condition, CommandError.condition) == ("cancel", "not-allowed", "bad-request")
