"""`python -m tutorial_lib.cli`, for a checkout that is not installed."""

import sys

from tutorial_lib.cli import main

sys.exit(main())
