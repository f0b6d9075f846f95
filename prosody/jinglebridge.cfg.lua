-- jinglebridge in Prosody (0.12 and newer): what to add to a stock Debian prosody.
--
-- Copy this file to /etc/prosody/conf.avail/jinglebridge.cfg.lua, replace the values marked CHANGE, link it into
-- /etc/prosody/conf.d/ and say `systemctl reload prosody`; `prosodyctl check config` tells about slips.
-- Prosody listens for components on 127.0.0.1:5347 by itself; that is all the bridge needs on the same machine.
--
-- STUN and TURN come from coturn (apt install coturn), since Prosody has none: turnserver.conf beside this file is its configuration.
-- Either the bridge hands it out by itself ([turn] in its configuration), or Prosody does, to the bridge and to its own users. For
-- the latter put these into the host of your users, below its VirtualHost line (not here, this file opens another section):
--   modules_enabled = { "turn_external" }
--   turn_external_host = "turn.example.org"
--   turn_external_secret = "CHANGE-THIS-TURN-SECRET"
--   -- who may ask for it (XEP-0215): once set, your own users have to be named as well
--   external_service_access = { "example.org", "call.example.org" }

-- CHANGE: the name of the bridge, and a secret of your own: openssl rand -hex 32
Component "call.example.org"
  component_secret = "CHANGE-THIS-SECRET"
  -- Stock limits slow down clients (10 kb/s), not components; mod_limits leaves components alone.
