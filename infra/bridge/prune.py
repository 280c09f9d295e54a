"""`python prune.py FOLDER`: remove files that the bridge never reads from installed packages, for a smaller image.

botocore's descriptions of four hundred services take 30 MB there; the bridge calls two, and a third for credentials.
Standard library only: the image is built with it.
"""

import shutil
import sys
from pathlib import Path

CALLED_SERVICES = frozenset({"dynamodb", "sqs", "sts"})
NEVER_READ = ("bin", "boto3/examples")


def prune(packages: Path) -> None:
    """Leave in `packages` only the files that the bridge may read."""
    for folder in packages.joinpath("botocore/data").iterdir():
        if folder.is_dir() and folder.name not in CALLED_SERVICES:
            shutil.rmtree(folder)
    for name in NEVER_READ:
        shutil.rmtree(packages / name, ignore_errors=True)


if __name__ == "__main__":
    prune(Path(sys.argv[1]))
