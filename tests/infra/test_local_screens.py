"""What a stack says when it serves, and how it ends: each command finds this stack, and the end has a bound."""

import html
import json
import re
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from rich.console import Console

from infra.deploying.emulator import ROOT
from infra.deploying.outputs import PARTS
from infra.local import watch as watching
from infra.local.description import Description, Jwt
from infra.local.engines import Engine
from infra.local.examples import NOT_KEPT, command_of, happening, lines, places
from infra.local.keeping import Keeping
from infra.local.pages import write_pages
from infra.local.screen import Screen
from infra.local.settings import LocalSettingError, seed, switched
from infra.local.shops import SHOPS
from infra.local.watch import Watch

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def description() -> Description:
    jwt = Jwt(algorithm="ES256", private_key_path="key", issuer="us", audience="us", key_id="1")
    names = dict.fromkeys(
        (*PARTS, "stage", "aws_endpoint", "aws_region", "public_api_url", "nats_url", "bridge_health_url"), "name"
    )
    tokens = {"admin_token": "token", "ops_token": "token"}
    return Description(
        api_url="http://127.0.0.1:8015", **names, **tokens, functions={}, jwt=jwt, webhook_secrets={}, pids={}
    )


@pytest.mark.parametrize("traffic", [True, False])
def test_every_command_of_a_second_stack_finds_that_stack(tmp_path: Path, traffic: bool) -> None:
    command = command_of({"LOCAL_DIR": str(tmp_path)})
    printed = [
        *places(description(), "", command).values(),
        *lines(description(), command, with_traffic=traffic).values(),
    ]

    called = [line for line in printed if ".venv/bin/credits" in line]

    assert len(called) >= 4
    assert all(f"LOCAL_DIR={tmp_path} .venv/bin/credits" in line for line in called)


def test_the_first_stack_and_one_beside_it_are_named_as_short_as_can_be() -> None:
    assert command_of({}) == command_of({"LOCAL_DIR": str(ROOT / ".local")}) == ".venv/bin/credits"
    assert command_of({"LOCAL_DIR": str(ROOT / ".local2")}) == "LOCAL_DIR=.local2 .venv/bin/credits"
    assert command_of({"LOCAL_DIR": "/a b"}) == "LOCAL_DIR='/a b' .venv/bin/credits"


@pytest.mark.parametrize("traffic", [True, False])
def test_it_is_said_what_is_kept(tmp_path: Path, traffic: bool) -> None:
    off = Keeping(directory=tmp_path, on=False, aws_port=4566)
    first = Keeping(directory=tmp_path, on=True, aws_port=4566)
    again = Keeping(directory=tmp_path, on=True, aws_port=4566, runs=1)

    assert NOT_KEPT in happening(with_traffic=traffic, keeping=off)
    assert f"Ctrl-C keeps everything in {tmp_path}/kept" in happening(with_traffic=traffic, keeping=first)[-1]
    assert "last start with KEEP=on are restored" in happening(with_traffic=traffic, keeping=again)[-1]


def test_the_pages_name_the_stack_and_its_shops(tmp_path: Path) -> None:
    pages = write_pages(tmp_path, {"LOCAL_DIR": str(tmp_path)}, NOT_KEPT)

    for name in ("start.html", "demo-shop.html"):
        assert re.findall(r"\{\{\w+\}\}", (pages / name).read_text()) == []
    start = (pages / "start.html").read_text()
    assert f"LOCAL_DIR={tmp_path} .venv/bin/credits token --admin" in start
    assert NOT_KEPT in start
    [shops] = re.findall(r'data-shops="([^"]*)"', start)
    assert [shop["name"] for shop in json.loads(html.unescape(shops))] == [shop.name for shop in SHOPS]


@pytest.mark.parametrize(("text", "on"), [("", True), ("on", True), ("OFF", False), (" off ", False)])
def test_a_switch_is_on_or_off(text: str, *, on: bool) -> None:
    assert switched({"TRAFFIC": text}, "TRAFFIC", default=True) is on


def test_a_setting_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(LocalSettingError, match=r"TRAFFIC is 'foo'; it must be on or off\."):
        switched({"TRAFFIC": "foo"}, "TRAFFIC", default=True)
    with pytest.raises(LocalSettingError, match=r"TRAFFIC_SEED is 'x'; it must be a whole number\."):
        seed({"TRAFFIC_SEED": "x"})
    assert (seed({}), seed({"TRAFFIC_SEED": "7"})) == (1, 7)


def test_a_step_says_how_long_it_took_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(record=True, width=100)
    screen = Screen(console)
    clock = iter([100.0, 102.0, 200.0, 203.0])
    monkeypatch.setattr("infra.local.screen.time.monotonic", lambda: next(clock))
    monkeypatch.setattr("rich.console.Console.status", lambda *_: nullcontext())

    with screen.step("one"):
        pass
    with screen.step("two"):
        pass

    assert re.findall(r"[\d.]+ s", console.export_text()) == ["2.0 s", "3.0 s"]


def test_programs_that_ignore_the_signal_to_end_are_killed_within_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = watching.LAYER_SECONDS
    monkeypatch.setattr(watching, "STOP_SECONDS", 0.5)
    monkeypatch.setattr(watching, "LAYER_SECONDS", 0.4)
    watch, started = Watch(), []
    for layer in range(3):
        process = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, start_new_session=True)
        assert process.stdout is not None
        with process.stdout as told:
            told.readline()
        started.append(watch.add(Engine(name="one", process=process, log=tmp_path, ready=lambda: True), layer=layer))

    begun = time.monotonic()
    watch.stop_all()

    assert time.monotonic() - begun < usual
    assert all(engine.process.poll() is not None for engine in started)
