"""A desktop's notification service (org.freedesktop.Notifications) without a desktop. Run by the system's Python, which has gi.

Writes one JSON object per line for each notification and its end; a line `ID ACTION` on stdin presses a button of one.
"""

from __future__ import annotations

import json
import os
from typing import Any

from gi.repository import Gio, GLib

NAME, PATH = "org.freedesktop.Notifications", "/org/freedesktop/Notifications"
INTERFACE = f"""<node><interface name="{NAME}">
<method name="GetCapabilities"><arg type="as" direction="out"/></method>
<method name="GetServerInformation">
  <arg type="s" direction="out"/><arg type="s" direction="out"/><arg type="s" direction="out"/><arg type="s" direction="out"/></method>
<method name="CloseNotification"><arg type="u" direction="in"/></method>
<method name="Notify">
  <arg type="s" direction="in"/><arg type="u" direction="in"/><arg type="s" direction="in"/><arg type="s" direction="in"/>
  <arg type="s" direction="in"/><arg type="as" direction="in"/><arg type="a{{sv}}" direction="in"/><arg type="i" direction="in"/>
  <arg type="u" direction="out"/></method>
<signal name="NotificationClosed"><arg type="u"/><arg type="u"/></signal>
<signal name="ActionInvoked"><arg type="u"/><arg type="s"/></signal>
</interface></node>"""
CLOSED_BY_CALL = 3

stdin = open(0, "rb", buffering=0)  # with a buffer, a second line would wait in it unseen
last = 0


def say(**what: Any) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


def called(bus: Any, _sender: str, _path: str, _interface: str, method: str, arguments: Any, invocation: Any) -> None:
    if method == "GetCapabilities":
        invocation.return_value(GLib.Variant("(as)", (["actions", "body", "persistence"],)))
    elif method == "GetServerInformation":
        invocation.return_value(GLib.Variant("(ssss)", ("notifier", "jinglebridge", "1", "1.2")))
    elif method == "CloseNotification":
        (id,) = arguments.unpack()
        say(closed=id)
        bus.emit_signal(None, PATH, NAME, "NotificationClosed", GLib.Variant("(uu)", (id, CLOSED_BY_CALL)))
        invocation.return_value(None)
    else:
        notify(arguments, invocation)


def notify(arguments: Any, invocation: Any) -> None:
    global last
    _app, id, _icon, title, body, actions, _hints, _timeout = arguments.unpack()
    if not id:
        last += 1
        id = last
    say(shown=id, title=title, body=body, actions=actions[::2])
    invocation.return_value(GLib.Variant("(u)", (id,)))


def registered(bus: Any, _name: str) -> None:
    bus.register_object(PATH, Gio.DBusNodeInfo.new_for_xml(INTERFACE).interfaces[0], called, None, None)
    GLib.io_add_watch(GLib.IOChannel.unix_new(0), GLib.PRIORITY_DEFAULT, GLib.IO_IN | GLib.IO_HUP, pressed, bus)


def owned(_bus: Any, _name: str) -> None:
    say(ready=True)


def pressed(_channel: Any, _condition: Any, bus: Any) -> bool:
    line = stdin.readline()
    if not line:
        loop.quit()
        return False
    id, action = line.decode().split()
    bus.emit_signal(None, PATH, NAME, "ActionInvoked", GLib.Variant("(us)", (int(id), action)))
    return True


loop = GLib.MainLoop()
Gio.bus_own_name(Gio.BusType.SESSION, NAME, Gio.BusNameOwnerFlags.NONE, registered, owned, lambda *_: loop.quit())
loop.run()
