"""Generated input is the same in every run, so that a failure is one for everybody; it prints its example."""

from hypothesis import settings

settings.register_profile("same", derandomize=True, print_blob=True, deadline=None)
settings.load_profile("same")
