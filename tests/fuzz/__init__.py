"""Fuzz targets for everything that reads what a stranger wrote: `python -m tests.fuzz --runs 20000`. See `targets`."""
