"""The web shell: page, ES modules, and the `jinglebridge.v1` WebSocket.

`messages` is the protocol, `server` the HTTP side, `socket` one connection, `sessions` what outlives connections.
"""
