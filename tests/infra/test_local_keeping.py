"""What KEEP=on keeps: everything together or nothing, under the addresses of the next start."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.local import keeping as keepers
from infra.local.engines import SAVED, STATE, Engine
from infra.local.keeping import Keeping
from infra.local.tokens import new_signer, signer_with

SAVING = """
import pathlib, signal, sys, time
signal.signal(signal.SIGUSR1, lambda *_: pathlib.Path(sys.argv[1]).touch())
print("up", flush=True)
time.sleep(60)
"""


def filled(directory: Path, port: int = 4566) -> Keeping:
    (directory / STATE).mkdir(parents=True)
    (directory / STATE / "sqs.json").write_text(f'"http://127.0.0.1:{port}/inbox"')
    (directory / "nats").mkdir()
    (directory / "nats" / "stream").write_text("messages")
    new_signer(directory)
    return Keeping(directory=directory, on=True, aws_port=port)


def emulator(directory: Path, program: str) -> Engine:
    command = [sys.executable, "-c", program, str(directory / STATE / SAVED)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return Engine(name="the AWS emulator", process=process, log=directory / "log", ready=lambda: True)


def save(keeping: Keeping, program: str = SAVING) -> None:
    keeping.emulator = emulator(keeping.directory, program)
    try:
        keeping.save()
    finally:
        keeping.emulator.process.kill()
        keeping.emulator.process.communicate()


def test_what_was_kept_comes_back_under_the_new_address_and_with_the_same_key(tmp_path: Path) -> None:
    first = filled(tmp_path / "first")
    key = signer_with(first.directory / "jwt-private-key.pem").key_id
    save(first)
    assert first.keep()
    second = Keeping(directory=first.directory, on=True, aws_port=5000)

    second.restore()

    assert second.runs == 1
    assert (second.directory / STATE / "sqs.json").read_text() == '"http://127.0.0.1:5000/inbox"'
    assert (second.directory / "nats" / "stream").read_text() == "messages"
    assert signer_with(second.directory / "jwt-private-key.pem").key_id == key
    assert not (second.directory / STATE / SAVED).exists(), "it is not saved before it is saved again"


def test_a_stack_that_keeps_nothing_finds_nothing_and_leaves_what_was_kept(tmp_path: Path) -> None:
    first = filled(tmp_path)
    save(first)
    first.keep()
    other = Keeping(directory=tmp_path, on=False, aws_port=4566)

    other.restore()
    other.emulator = first.emulator
    other.save()

    assert other.runs == 0
    assert not other.keep()
    assert (other.folder / "nats" / "stream").read_text() == "messages"


@pytest.mark.parametrize("program", ["print('up')", SAVING.replace(".touch()", "")])
def test_an_emulator_that_dies_or_does_not_finish_replaces_nothing(
    tmp_path: Path, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keepers, "SAVE_SECONDS", 0.2)
    keeping = filled(tmp_path)

    save(keeping, program)

    assert not keeping.keep()
    assert not keeping.folder.exists()


def test_a_stack_that_was_not_complete_replaces_nothing(tmp_path: Path) -> None:
    keeping = filled(tmp_path)

    keeping.save()

    assert not keeping.keep()


def test_an_end_that_is_broken_off_between_two_names_loses_nothing(tmp_path: Path) -> None:
    first = filled(tmp_path)
    save(first)
    first.keep()
    first.folder.rename(tmp_path / "kept.before")
    second = Keeping(directory=tmp_path, on=True, aws_port=4566)

    second.restore()

    assert second.runs == 1
