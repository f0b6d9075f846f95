"""jinglebridge: web pages call Jingle IM clients, and are called by them.

Importing the package costs nothing: take what you need from its parts, for example
``from jinglebridge.translate import sdp_to_xml, xml_to_sdp``.
"""

__version__ = "0.1.0"
