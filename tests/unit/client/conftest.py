"""Pages, and the bridge that they speak to, for all tests of this folder."""

from call_pages import bridge, browser, enter, people

__all__ = ["bridge", "browser", "enter", "people"]
