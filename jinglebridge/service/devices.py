"""Device credentials: a lasting way in for one browser, of somebody for whom an operator or an XMPP address has vouched.

A credential has 256 random bits and is kept only as its hash, by which it is found: nothing secret is ever compared. It ends 90 days
after its last use, or when it is revoked; that ends the sessions that came in by it, too.

Spec: DESIGN §2 (b).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Literal

import structlog

from jinglebridge.calls.people import Device
from jinglebridge.errors import EndpointError
from jinglebridge.jid import escape, unescape
from jinglebridge.service.links import cleaned
from jinglebridge.service.tellings import told_time
from jinglebridge.store.base import Store
from jinglebridge.web import messages as m
from jinglebridge.web import tokens
from jinglebridge.web.sessions import hashed
from jinglebridge.xmpp.stanza import bare_jid

log = structlog.get_logger()

LIFETIME = 90 * 86400.0  # seconds after the last use
USED_EVERY = 3600.0  # seconds: how exactly the last use is remembered
MAX_DEVICES = 20  # of one person; the one that was not used for longest gives way
MAX_TEXT = 128  # characters of a name or a label


class Devices:
    """`end`: ends the sessions that came in this way ("device:ID"); `blocked`: is nothing heard of this XMPP address?"""

    def __init__(self, store: Store, domain: str, clock: Callable[[], float], end: Callable[[str], object] = lambda way: None) -> None:
        self._store = store
        self._domain = domain
        self._clock = clock
        self.end = end
        self.blocked: Callable[[str], bool] = lambda jid: False
        self._by_id: dict[str, Device] = {}
        self._by_hash: dict[str, Device] = {}
        self._by_user: dict[str, dict[str, Device]] = {}
        for device in store.rows(Device):
            self._keep(device)

    def _keep(self, device: Device) -> None:
        self._by_id[device.id] = self._by_hash[device.hash] = self._by_user.setdefault(device.user, {})[device.id] = device

    # --- making

    def create(
        self,
        user: str,
        by: Literal["operator", "address"],
        *,
        name: str = "",
        label: str = "",
        contacts: Iterable[str] = (),
        may_call: Iterable[str] = (),
    ) -> tuple[Device, str]:
        """A device of `user` (escaped and prepared local part), and its credential, which nobody can know later."""
        own = self.of(user)
        for old in own[: max(0, len(own) - MAX_DEVICES + 1)]:
            self.revoke(old.id)
        secret, now = secrets.token_urlsafe(32), self._clock()
        name, label = cleaned(name, MAX_TEXT), cleaned(label, MAX_TEXT)  # one line each: they are shown in lists
        device = Device(secrets.token_hex(4), hashed(secret), user, name, label, now, now, by, tuple(contacts), tuple(may_call))
        while device.id in self._by_id:
            device = replace(device, id=secrets.token_hex(4))
        self._keep(device)
        self._store.save(device)
        log.info("device-created", device=device.id, user=user, by=by)
        return device, secret

    def invite(self, name: str, /, **about: Any) -> tuple[Device, str]:
        """For the operator: a device of the user with this name. Raises EndpointError for a name nobody may have."""
        bare = bare_jid(f"{tokens.local_part(name)}@{self._domain}")
        if bare is None:
            raise EndpointError("not-authorized", f"{name!r} is not a user name")
        user = bare.partition("@")[0]
        tokens.refuse_reserved(user)
        return self.create(user, "operator", **about)

    # --- using

    def admit(self, secret: str) -> tokens.Identity:
        """Raises EndpointError not-authorized."""
        device = self._by_hash.get(hashed(secret))
        if device is None or device.id not in self:
            raise EndpointError("not-authorized", "this device is not signed in any more")
        self._used(device)
        name = device.name or unescape(device.user)
        return tokens.Identity(device.user, name, device.contacts, device.may_call, bool(device.name), f"device:{device.id}")

    def by_address(self, id: str) -> bool:
        """Did the owner of an XMPP address vouch for this device? Its user stands for that address."""
        return id in self._by_id and self._by_id[id].by == "address"

    def _expired(self, device: Device) -> bool:
        return self._clock() - device.used > LIFETIME

    def _used(self, device: Device) -> None:
        if self._clock() - device.used > USED_EVERY:
            device = replace(device, used=self._clock())
            self._keep(device)
            self._store.save(device)

    def sweep(self, ways: Iterable[str]) -> None:
        """Forget those that have ended. `ways`: of the sessions there are; to be here is to be used."""
        for way in set(ways):
            device = self._by_id.get(way.removeprefix("device:"))
            if device is not None and not self._expired(device):
                self._used(device)
        for device in [d for d in self._by_id.values() if self._expired(d)]:
            self.revoke(device.id)

    # --- listing and revoking

    def of(self, user: str) -> list[Device]:
        """Of one person (escaped local part), those not used for longest first."""
        return sorted((d for d in self._by_user.get(user, {}).values() if not self._expired(d)), key=lambda d: d.used)

    def all(self) -> list[Device]:
        """By person."""
        return sorted((d for d in self._by_id.values() if not self._expired(d)), key=lambda d: (d.user, d.used))

    def __contains__(self, id: str) -> bool:
        """Does this device let in?"""
        device = self._by_id.get(id)
        return device is not None and not self._expired(device) and not (device.by == "address" and self.blocked(unescape(device.user)))

    def revoke(self, id: str) -> bool:
        """True if there was such a device."""
        device = self._by_id.pop(id, None)
        if device is None:
            return False
        del self._by_hash[device.hash]
        own = self._by_user[device.user]
        del own[id]
        if not own:
            del self._by_user[device.user]
        self._store.delete(device)
        log.info("device-revoked", device=id, user=device.user)
        self.end(f"device:{id}")
        return True

    # --- for pages

    def request(self, identity: tokens.Identity, frame: m.Devices | m.DevicesRevoke) -> m.DeviceList | None:
        """What a page asks of its own person's devices. Raises EndpointError."""
        if identity.guest:
            raise EndpointError("forbidden", "guests have no devices")
        if isinstance(frame, m.Devices):
            mine = reversed(self.of(identity.user))
            return m.DeviceList(id=frame.id, devices=[_told(device, identity.device) for device in mine])
        device = self._by_id.get(frame.device or identity.device)
        if device is None or device.user != identity.user:
            raise EndpointError("forbidden", "there is no such device of yours")
        asyncio.get_running_loop().call_soon(self.revoke, device.id)  # after the ack: it may be the device that asked
        return None


def operate(devices: Devices, request: dict[str, Any]) -> dict[str, Any]:
    """What an operator asks, by the admin socket or, while no bridge runs, of the store: the answer as JSON objects."""
    match request["command"]:
        case "devices":
            return {"ok": True, "devices": [_listed(d) for d in devices.all() if request.get("user") in (None, d.user, unescape(d.user))]}
        case "device-create":
            try:
                device, secret = devices.invite(
                    str(request["name"]),
                    name=str(request.get("display_name") or ""),
                    label=str(request.get("label") or ""),
                    contacts=[str(contact) for contact in request.get("contacts", ())],
                )
            except EndpointError as error:
                return {"ok": False, "error": str(error)}
            return {"ok": True, "id": device.id, "credential": secret}
        case _:
            return {"ok": True} if devices.revoke(str(request["id"])) else {"ok": False, "error": "there is no such device"}


OPERATIONS = frozenset({"devices", "device-create", "device-revoke"})


def _listed(device: Device) -> dict[str, Any]:
    used, created = told_time(device.used), told_time(device.created)
    return {"id": device.id, "user": device.user, "label": device.label, "by": device.by, "created": created, "used": used}


def user_of(jid: str) -> str:
    """The local part that stands for an XMPP address: anna@example.org is anna\\40example.org at our domain."""
    return escape(jid)


def _told(device: Device, current: str) -> m.DeviceInfo:
    created, used = told_time(device.created), told_time(device.used)
    return m.DeviceInfo(id=device.id, label=device.label, created=created, used=used, current=device.id == current)
