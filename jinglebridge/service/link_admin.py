"""Guest links for the operator: asked of a running bridge by its admin socket, or of its store when none runs.

Spec: DESIGN §3 (commands).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from jinglebridge.calls.people import Link
from jinglebridge.config import Config
from jinglebridge.errors import OperatorError
from jinglebridge.service.links import Links, Wish
from jinglebridge.store.alone import alone
from jinglebridge.xmpp.stanza import bare_jid


def carry_out(links: Links, request: dict[str, Any]) -> dict[str, Any]:
    """The answer to one request, as the admin socket gives it. `do`: create, list or revoke."""
    try:
        match request["do"]:
            case "create":
                owner = _person(links, request["jid"])
                days = links.usual_days if request["days"] is None else int(request["days"])
                wish = Wish(str(request["label"]), days, bool(request["once"]), bool(request["video"]), bool(request["presence"]))
                link, url = links.make(owner, wish)
                return {"ok": True, "link": _told(links, link), "url": url}
            case "list":
                whose = _person(links, request["jid"]) if request.get("jid") else None
                return {"ok": True, "links": [_told(links, link) for link in links.of(whose)]}
            case "revoke":
                gone = links.by_way(f"link:{request['id']}")
                if gone is None:
                    raise OperatorError(f"there is no link {request['id']}: `jinglebridge link list` shows them")
                links.revoke(gone)
                return {"ok": True, "link": _told(links, gone)}
            case _:
                return {"ok": False, "error": "unknown command"}
    except OperatorError as error:
        return {"ok": False, "error": str(error)}
    except ValueError as error:  # of Links.make, in words for a person
        return {"ok": False, "error": str(error) or "not a command"}


def without_bridge(config: Config, request: dict[str, Any]) -> dict[str, Any]:
    """The same with the store of a bridge that does not run. Raises OperatorError if one does."""
    with alone(Path(config.store.path)) as store:
        links = Links(store, config.policy, config.servers, config.public_url, time.time)
        links.has_turn = lambda: True  # only a running bridge can know
        return carry_out(links, request)


def _person(links: Links, address: object) -> str:
    jid = bare_jid(str(address))
    if jid is None or "@" not in jid:
        raise OperatorError(f"{str(address)[:100]!r} is not an address like name@example.org")
    if not links.serves(jid):
        raise OperatorError(f"the bridge is not for users of {jid.rpartition('@')[2]}: see [policy] servers")
    return jid


def _told(links: Links, link: Link) -> dict[str, Any]:
    """A link as JSON; never its hash."""
    return {
        "id": link.id,
        "owner": link.owner,
        "label": link.label,
        "created": link.created,
        "expires": link.expires,
        "once": link.single_use,
        "video": link.video,
        "presence": link.shows_presence,
        "problem": links.problem(link),
    }
