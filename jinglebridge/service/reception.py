"""The bridge's own address and its guests, put together: commands and chat lines, links, presence of and for the gateway.

Spec: DESIGN §2; issue "People", items 3 and 4.
"""

from __future__ import annotations

from collections.abc import Callable

from jinglebridge.calls.model import is_guest
from jinglebridge.calls.registry import Registry
from jinglebridge.config import Config
from jinglebridge.service.availability import Availability
from jinglebridge.service.catalogue import Catalogue, Devices
from jinglebridge.service.desk import Desk
from jinglebridge.service.door import Door
from jinglebridge.service.gateway import Gateway
from jinglebridge.service.guests import Guests
from jinglebridge.service.ice import IceSource
from jinglebridge.service.links import Links
from jinglebridge.service.owners import Owners
from jinglebridge.service.performer import Clock, Performer
from jinglebridge.store.base import Store
from jinglebridge.web.sessions import Sessions
from jinglebridge.xmpp.disco import Disco
from jinglebridge.xmpp.router import Router
from jinglebridge.xmpp.stanza import Send, Stanza


class Reception:
    """`people` takes all presence that is not for here."""

    def __init__(
        self,
        config: Config,
        store: Store,
        sessions: Sessions,
        registry: Registry,
        performer: Performer,
        ice: IceSource,
        send: Send,
        clock: Clock,
        people: Callable[[Stanza], None],
        devices: Devices | None = None,
    ) -> None:
        self._domain = config.xmpp.domain
        self._people = people
        self.gone: Callable[[str], None] = lambda jid: None  # somebody who showed their presence to the gateway (full or bare JID) left
        self.links = Links(store, config.policy, config.servers, config.public_url, clock)
        self.links.has_turn = lambda: ice.has_turn
        self.owners = Owners(store)
        self.availability = Availability(self._domain, send, store, self.links.serves)
        self.links.availability, self.links.shows = self._shown, self.availability.ask
        self.guests = Guests(config, self.links, self.owners, sessions, registry, performer, send, clock)
        catalogue = Catalogue(self.links, self.owners, self._domain, config.policy.echo, devices)
        self.gateway = Gateway(self._domain, catalogue, self.links, send, clock)

    def connect(self, router: Router, disco: Disco, desk: Desk, door: Door) -> None:
        """Make all of it reachable."""
        self.gateway.register(router, disco)
        router.hidden = self.guests.hidden
        router.presence = self.presence
        self.availability.info = disco.gateway
        desk.guests = self.guests
        door.links = self.links
        self.links.revoked = desk.revoke
        self.guests.dismiss = desk.dismiss

    def presence(self, stanza: Stanza) -> None:
        """Any presence stanza."""
        if stanza.to == self._domain:
            if stanza.type in ("unavailable", "error"):
                self.gone(stanza.sender)
            self.availability.received(stanza)
        elif not is_guest(stanza.to) or self.guests.presence(stanza):
            self._people(stanza)

    def _shown(self, owner: str) -> str:
        """What guests see of somebody's presence, where a link allows it."""
        return "offline" if self.owners.dnd(owner) else self.availability.of(owner)

    def connected(self) -> None:
        """There is a new connection to the server."""
        self.availability.connected({link.owner for link in self.links.of() if link.shows_presence})

    def leaving(self) -> None:
        """The bridge is being stopped."""
        self.availability.leaving()

    def sweep(self) -> None:
        self.guests.sweep()
        self.gateway.sweep()
