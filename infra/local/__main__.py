"""`python -m infra.local`: run the whole system on loopback until Ctrl-C."""

import argparse
import os
import sys

from infra.local.screen import Screen
from infra.local.supervisor import run

if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m infra.local", description=__doc__).parse_args()
    sys.exit(run(os.environ, Screen()))
