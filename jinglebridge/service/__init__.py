"""The wiring: the one place that knows every shell and the engine.

`bridge` builds and starts everything, `performer` carries out the engine's effects, `ears` turns stanzas into events of the
engine, `desk` serves the web sessions, `admin` the operator. Nothing is imported here: a command that only asks a running bridge
(`jinglebridge calls`) needs none of it.
"""
