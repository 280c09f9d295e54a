"""`python -m infra.local`: run the whole system on loopback until Ctrl-C."""

import os
import sys

from infra.local.screen import Screen
from infra.local.supervisor import run

if __name__ == "__main__":
    sys.exit(run(os.environ, Screen()))
