"""`python -m minitorch_cnn.cli` is `minitorch-cnn`."""

import sys

from minitorch_cnn.cli import main

sys.exit(main())
