"""The web shell: page, ES modules, and the protocol `jinglebridge.v1`.

`messages` is the protocol, `server` the HTTP side, `connection` one connection (by `socket` or `stream`), `sessions` what outlives
connections.
"""
