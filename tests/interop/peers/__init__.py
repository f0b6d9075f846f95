"""Clients that cannot run here, as small strict state machines behind real accounts of a real server, and stories told with them.

Each client is one file (`conversations`, `monal`, `movim`): what it sends by itself, how it answers, what it refuses and with which
error, what makes it give up. They were written from the clients' sources, not from jinglebridge: nothing here uses its translator.

`story` is the stage: one peer, one web page (a raw WebSocket client), one `judge` that blames the bridge for whatever the strictest
client would stumble over. A test reads like a chat::

    al.proposes("audio", "video")
    bob.hears("incoming", media=AUDIO_VIDEO)
    al.hears("ringing", to=al.full)
"""
