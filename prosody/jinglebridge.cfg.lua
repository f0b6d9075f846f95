-- jinglebridge in Prosody (0.12 and newer): what to add to a stock Debian prosody.
--
-- Copy this file to /etc/prosody/conf.avail/jinglebridge.cfg.lua, replace the values marked CHANGE, link it into
-- /etc/prosody/conf.d/ and say `systemctl reload prosody`; `prosodyctl check config` tells about slips.
-- Prosody listens for components on 127.0.0.1:5347 by itself; that is all the bridge needs on the same machine.
--
-- STUN and TURN come from coturn (apt install coturn), since Prosody has none. In /etc/turnserver.conf:
--   use-auth-secret
--   static-auth-secret=CHANGE-THIS-TURN-SECRET
--   realm=example.org
--   no-loopback-peers
--   no-multicast-peers
--   denied-peer-ip=10.0.0.0-10.255.255.255
--   denied-peer-ip=172.16.0.0-172.31.255.255
--   denied-peer-ip=192.168.0.0-192.168.255.255
-- Then put these into the host of your users, below its VirtualHost line (not here, this file opens another section):
--   modules_enabled = { "turn_external" }
--   turn_external_host = "turn.example.org"
--   turn_external_secret = "CHANGE-THIS-TURN-SECRET"
--   -- who may ask for it (XEP-0215): once set, your own users have to be named as well
--   external_service_access = { "example.org", "call.example.org" }

-- CHANGE: the name of the bridge, and a secret of your own: openssl rand -hex 32
Component "call.example.org"
  component_secret = "CHANGE-THIS-SECRET"
  -- Stock limits slow down clients (10 kb/s), not components; mod_limits leaves components alone.
