"""The call engine, sans I/O: events in, effects out.

Read in this order: `states` (what is legal), `model` (what a call remembers), `events`, `effects`, `registry` (which call),
`call` (which handler), `incoming`, `ringing`, `forks`, `negotiation`, `candidates`, `ending`. Nothing here opens a socket, reads a clock or
draws a random number: time comes in with each event, ids from a function given to the registry.
"""
