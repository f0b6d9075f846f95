"""`python -m jinglebridge`."""

import sys

from jinglebridge.cli import main

sys.exit(main())
