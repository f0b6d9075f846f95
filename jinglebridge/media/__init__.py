"""Endpoints of our own that take part in the media: the echo contact, the doctor's probe.

To the engine they are ordinary endpoints. aiortc is imported when the first call comes, not before.
"""
