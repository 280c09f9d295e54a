"""From the first line on the screen to the last process ended: what `make run` does.

Exit status: 0 when it was asked to end, 1 when it could not come up or a part of it died, 2 for a
setting that is wrong.
"""

import fcntl
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

from chalicelib.environment import SettingError
from chalicelib.settings import Settings
from infra.deploying.emulator import DeploymentFailedError
from infra.deploying.parameters import SETTINGS
from infra.local import examples
from infra.local.connected import new_secrets
from infra.local.description import FILE_NAME, OPS_TOKEN_FILE, describe, local_directory, short, write
from infra.local.engines import EMULATOR
from infra.local.keeping import Keeping
from infra.local.ports import PortError, choose_ports
from infra.local.screen import Screen
from infra.local.settings import LocalSettingError, seed, switched
from infra.local.stack import ENGINES, Site, bring_up, call_others, launch_traffic
from infra.local.tokens import PRIVATE_KEY_FILE, new_signer, signer_with
from infra.local.watch import AskedToEndError, StackFailedError, Watch
from infra.packaging.stages import UnknownStageError, values

ASKED_TO_END = 0
FAILED = 1
BAD_SETTING = 2
DIES_WITH_IT = ("nats", "ministack", "jwks.json", "pages", PRIVATE_KEY_FILE, OPS_TOKEN_FILE, FILE_NAME)
"""Files of no use without the processes; the logs stay until the next start."""
GONE = "gone-"
"""The name of a folder while it is being removed."""


class AlreadyRunningError(Exception):
    """Another stack runs in the same folder; the text is for a person."""


def run(environment: Mapping[str, str], screen: Screen) -> int:
    """Run a whole stack until it is asked to end or fails; return the exit status.

    When it returns, everything that it started has ended and stack.json is gone.
    """
    watch = Watch()
    watch.listen_for_signals()
    with ExitStack() as held:
        try:
            _serve(environment, watch, screen, held)
        except AskedToEndError:
            screen.plain("\nEnding everything that was started.")
            return ASKED_TO_END
        except (StackFailedError, DeploymentFailedError, AlreadyRunningError) as error:
            screen.failure(str(error))
            return FAILED
        except (PortError, SettingError, LocalSettingError, UnknownStageError) as error:
            screen.failure(str(error))
            return BAD_SETTING
    raise AssertionError("a stack that serves ends by one of the errors above")


def _serve(environment: Mapping[str, str], watch: Watch, screen: Screen, held: ExitStack) -> None:
    """Bring the stack up and keep watch; `held` ends it."""
    screen.title("Merchant credit service, all of it on 127.0.0.1")
    # The functions would report the same at their first call: in a log, and a minute later.
    Settings.read({name: environment.get(name, "") for name in SETTINGS})
    with_traffic = switched(environment, "TRAFFIC", default=True)
    keeps = switched(environment, "KEEP", default=False)
    seed(environment)
    stage = environment.get("STAGE") or "dev"
    values(stage)
    directory = local_directory(environment)
    held.enter_context(_alone_in(directory))
    held.callback(_clear, directory, DIES_WITH_IT)
    ports = choose_ports(environment, held)
    screen.moved_ports(ports)
    keeping = Keeping(directory=directory, on=keeps, aws_port=ports["AWS_PORT"].number)
    keeping.restore()
    signer = signer_with(directory / PRIVATE_KEY_FILE) if keeping.runs else new_signer(directory)
    shared = new_secrets()
    site = Site(
        directory=directory,
        stage=stage,
        ports=ports,
        signer=signer,
        webhook_secrets=shared,
        environment=environment,
        keeping=keeping,
    )
    held.callback(_end, watch, keeping, screen)
    outputs = bring_up(site, watch, screen)
    keeping.emulator = watch.named(EMULATOR)
    if with_traffic:
        launch_traffic(site, watch)
    pids = {"supervisor": os.getpid(), **watch.pids()}
    description = describe(site.addresses, stage, outputs, signer, shared, pids)
    held.callback((directory / FILE_NAME).unlink, missing_ok=True)
    command = examples.command_of(environment)
    screen.places(examples.places(description, short(directory), command))
    screen.sentences(examples.happening(with_traffic=with_traffic, keeping=keeping))
    screen.lines_to_try(examples.lines(description, command, with_traffic=with_traffic))
    path = write(description, directory)
    screen.plain(f"READY {description.api_url} (everything else: {short(path)}; Ctrl-C ends it)")
    call_others(site, outputs, watch)
    watch.keep_watch()


def _end(watch: Watch, keeping: Keeping, screen: Screen) -> None:
    """End every program; before that, let a stack that was complete and is asked to end save what it keeps."""
    if watch.asked_to_end and keeping.emulator is not None and keeping.on:
        watch.stop_above(ENGINES)
        keeping.save()
    watch.stop_all()
    if keeping.keep():
        screen.plain(f"Kept in {short(keeping.folder)}: the next start with KEEP=on has it.")
    elif keeping.on:
        screen.failure(f"Nothing of this run was kept; {short(keeping.folder)} is as it was.")


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Hold the folder for one stack while the context is open, cleared of what an earlier one left.

    Raises:
        AlreadyRunningError: Another stack holds it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunningError(
                f"A stack runs in {directory} already. End it, or give this one a folder with LOCAL_DIR=…"
            ) from error
        _clear(directory, (*DIES_WITH_IT, "*.log"))
        yield


def _clear(directory: Path, patterns: tuple[str, ...]) -> None:
    """Remove the files of a stack below `directory`, and nothing else."""
    gone = []
    for pattern in (*patterns, f"{GONE}*"):
        for path in directory.glob(pattern):
            if path.is_dir():
                gone.append(path if path.name.startswith(GONE) else path.rename(path.with_name(f"{GONE}{uuid4()}")))
            else:
                path.unlink(missing_ok=True)
    if gone:
        # The emulator leaves an unpacked package a worker, half a gigabyte in all: removing it should delay nobody.
        # It holds no output of ours either: whoever reads that through a pipe would wait for its end.
        nowhere = subprocess.DEVNULL
        command = ["rm", "-rf", *map(str, gone)]
        subprocess.Popen(command, start_new_session=True, stdin=nowhere, stdout=nowhere, stderr=nowhere)
