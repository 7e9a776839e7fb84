"""`python -m streamer` is `freshframe`."""

import sys

from streamer.cli import main

if __name__ == "__main__":
    sys.exit(main())
