"""`python -m puppetmaster_core` is the `puppetmaster` command."""

import sys

from puppetmaster_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
