"""One file per command: `add_arguments(parser)` declares it, `run(args)` does it and returns the exit status."""
