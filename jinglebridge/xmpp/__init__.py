"""The XMPP shell: one component connection, raw elements in and out.

`component` is the stream, `link` keeps it up and watches that it is the only one, `router` brings each stanza to its handler
and answers errors, `disco`, `presence`, `peers`, `extdisco` are the handlers of everything that is not a call.
"""
