"""Main configurations of the private servers; ``@name@`` is filled in. What is ours comes from the recipes, not from here."""

from __future__ import annotations

EJABBERD = """\
# as Debian's /etc/ejabberd/ejabberd.yml, with other ports, on 127.0.0.1, without s2s, MQTT and the web interface
loglevel: info
hosts:
  - "@domain@"
certfiles:
  - "@dir@/cert.pem"
define_macro:
  'TLS_OPTIONS':
    - "no_sslv3"
    - "no_tlsv1"
    - "no_tlsv1_1"
    - "cipher_server_preference"
    - "no_compression"
c2s_protocol_options: 'TLS_OPTIONS'
listen:
  -
    port: @c2s@
    ip: "127.0.0.1"
    module: ejabberd_c2s
    max_stanza_size: 262144
    shaper: c2s_shaper
    access: c2s
    starttls_required: true
  -
    port: @http@
    ip: "127.0.0.1"
    module: ejabberd_http
    request_handlers:
      /api: mod_http_api
      /ws: ejabberd_http_ws
disable_sasl_mechanisms:
  - "digest-md5"
  - "X-OAUTH2"
auth_password_format: scram
acl:
  local:
    user_regexp: ""
  loopback:
    ip:
      - 127.0.0.0/8
access_rules:
  local:
    allow: local
  c2s:
    deny: blocked
    allow: all
  pubsub_createnode:
    allow: local
api_permissions:
  "the lab":
    who:
      access:
        allow:
          - acl: loopback
    what: "*"
shaper:
  normal:
    rate: 3000
    burst_size: 20000
  fast: 200000
shaper_rules:
  max_user_sessions: 10
  max_user_offline_messages:
    100: all
  c2s_shaper:
    @shaper@: all
modules:
  mod_adhoc: {}
  mod_admin_extra: {}
  mod_blocking: {}
  mod_caps: {}
  mod_carboncopy: {}
  mod_client_state: {}
  mod_disco: {}
  mod_http_api: {}
  mod_last: {}
  mod_offline:
    access_max_user_messages: max_user_offline_messages
  mod_ping: {}
  mod_privacy: {}
  mod_private: {}
  mod_pubsub:
    access_createnode: pubsub_createnode
    plugins:
      - flat
      - pep
  mod_roster:
    versioning: true
  mod_shared_roster: {}
  mod_stream_mgmt:
    resend_on_timeout: if_offline
  mod_vcard:
    search: false
  mod_vcard_xupdate: {}
  mod_version: {}
include_config_file:
  - "@dir@/jinglebridge.yml"
"""

PROSODY = """\
daemonize = false
pidfile = "@dir@/prosody.pid"
data_path = "@dir@/data"
certificates = "@dir@"
log = { info = "@dir@/prosody.log" }
interfaces = { "127.0.0.1" }
local_interfaces = { "127.0.0.1" }
c2s_ports = { @c2s@ }
c2s_direct_tls_ports = { }
c2s_require_encryption = true
s2s_ports = { }
s2s_direct_tls_ports = { }
component_ports = { @component@ }
http_ports = { }
https_ports = { }
admin_socket = "@dir@/prosody.sock"
modules_enabled = {
  "roster"; "saslauth"; "tls"; "disco"; "carbons"; "pep"; "private"; "blocklist"; "vcard4"; "vcard_legacy"; "version"; "uptime";
  "time"; "ping"; "smacks"; "posix"; "offline"; "admin_shell";
}
modules_disabled = { "s2s" }
authentication = "internal_hashed"
ssl = { certificate = "@dir@/crt.pem"; key = "@dir@/key.pem" }
VirtualHost "@domain@"
Include "@dir@/jinglebridge.cfg.lua"
"""

NGINX = """\
daemon off;
pid @dir@/nginx.pid;
error_log @dir@/error.log info;
worker_processes 1;
events { worker_connections 256; }
http {
  access_log @dir@/access.log;
  client_body_temp_path @dir@/tmp/body;
  proxy_temp_path @dir@/tmp/proxy;
  fastcgi_temp_path @dir@/tmp/fastcgi;
  uwsgi_temp_path @dir@/tmp/uwsgi;
  scgi_temp_path @dir@/tmp/scgi;
  include @dir@/jinglebridge.conf;
}
"""
