"""`make run` as a whole: it comes up, says so, answers, and leaves nothing behind when it ends."""

import http.client
import os
import signal
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.engines import LOOPBACK, answers, free_port
from tests.support.running_stack import client, until
from tests.support.stack_process import END_SECONDS, READY_SECONDS, Run, started, wait

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("local stack")]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A process that ended without anybody asking for its status is not running any more either.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def status(url: str, token: str | None = None) -> int:
    parts = urlsplit(url)
    with closing(http.client.HTTPConnection(parts.netloc, timeout=60)) as connection:
        connection.request("GET", parts.path, headers={"Authorization": f"Bearer {token}"} if token else {})
        return connection.getresponse().status


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    settings = {"TRIAL_CREDITS": "42", "GROUND_RETRY_SECONDS_TOTAL": "3"}
    with started(tmp_path_factory.mktemp("stack"), settings) as run:
        run.wait_for_line("READY ")
        yield run


def test_all_workers_of_the_package_share_one_copy_of_it(stack: Run) -> None:
    scratch = stack.directory / "ministack/tmp"
    [copy] = scratch.glob("package-*")
    workers = [folder / "code" for folder in scratch.glob("ministack-lambda-*")]

    assert len(workers) > 1
    assert {code.resolve() for code in workers} == {copy}
    assert list(scratch.rglob("*.zip")) == []


def test_the_log_of_a_call_is_kept_without_the_mark_of_its_end(stack: Run) -> None:
    logs = client(stack.description(), "logs")
    names = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    lines = [event["message"] for name in names for event in logs.filter_log_events(logGroupName=name)["events"]]

    assert any(line.startswith("{") for line in lines)
    assert not any("end of this call" in line for line in lines)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("CORS_ORIGINS", "*"),
        ("TRIAL_CREDITS", "many"),
        ("API_PORT", "http"),
        ("TRAFFIC", "foo"),
        ("TRAFFIC_SEED", "often"),
        ("REDIS", "maybe"),
        ("KEEP", "forever"),
        ("STAGE", "nowhere"),
    ],
)
def test_a_setting_that_is_wrong_is_named_before_anything_starts(tmp_path: Path, name: str, wrong: str) -> None:
    with started(tmp_path, {name: wrong}) as run:
        assert run.process.wait(END_SECONDS) == 2
        assert wrong in run.said()
        assert name in run.said().upper()
        assert "Packaging" not in run.said()


def test_the_ready_line_names_the_api_which_then_answers(stack: Run) -> None:
    (line,) = [line for line in stack.said().splitlines() if line.startswith("READY")]
    assert stack.description()["api_url"] in line
    assert status(f"{stack.description()['api_url']}/api/v1/health") == 200
    assert status(f"{stack.description()['api_url']}/") == 200


def test_everything_in_the_description_exists(stack: Run) -> None:
    description = stack.description()
    for table in ("credits_table", "transactions_table", "figures_table"):
        client(description, "dynamodb").describe_table(TableName=description[table])
    for queue in ("inbox_queue_url", "dead_letter_queue_url", "outbox_queue_url"):
        client(description, "sqs").get_queue_attributes(QueueUrl=description[queue], AttributeNames=["QueueArn"])
    client(description, "events").describe_event_bus(Name=description["event_bus"])
    for name in description["functions"].values():
        client(description, "lambda").get_function(FunctionName=name)
    until("the bridge to be healthy", lambda: answers(description["bridge_health_url"]))
    assert all(alive(pid) for pid in description["pids"].values())


def test_settings_of_the_caller_reach_the_functions(stack: Run) -> None:
    description = stack.description()
    configuration = client(description, "lambda").get_function_configuration(
        FunctionName=description["functions"]["ingest_events"]
    )
    variables = configuration["Environment"]["Variables"]
    assert (variables["TRIAL_CREDITS"], variables["GROUND_RETRY_SECONDS_TOTAL"]) == ("42", "3")


def test_a_token_of_the_stack_opens_the_door_and_a_strangers_does_not(stack: Run) -> None:
    description = stack.description()
    account = f"{description['api_url']}/api/v1/credits/accounts/{uuid.uuid4()}"
    assert status(account, description["admin_token"]) == 404
    assert status(account, "not.a.token") in {401, 403}
    assert status(account) == 401


def test_everything_listens_on_loopback_only(stack: Run) -> None:
    pids = set(stack.description()["pids"].values())
    listening = {address for pid in pids for address in listening_addresses(pid)}
    assert listening == {"0100007F"}, "in the kernel's spelling, 127.0.0.1 and nothing else"


def listening_addresses(pid: int) -> set[str]:
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        target = str(descriptor.readlink()) if descriptor.is_symlink() else ""
        sockets.add(target.removeprefix("socket:[").removesuffix("]"))
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    listen = "0A"
    return {row[1].partition(":")[0] for row in rows if row[3] == listen and row[9] in sockets}


def test_a_second_stack_in_the_same_folder_is_refused_and_the_first_lives_on(stack: Run, tmp_path: Path) -> None:
    with started(tmp_path, {"LOCAL_DIR": str(stack.directory)}) as second:
        assert second.process.wait(END_SECONDS) == 1
    assert "LOCAL_DIR" in second.said()
    assert status(f"{stack.description()['api_url']}/api/v1/health") == 200


def test_a_stack_beside_another_takes_other_ports_shows_traffic_and_ends_alone_when_a_part_of_it_dies(
    stack: Run, tmp_path: Path
) -> None:
    first = stack.description()
    wanted = {"API_PORT": first["api_url"], "AWS_PORT": first["aws_endpoint"], "NATS_PORT": first["nats_url"]}
    settings = {setting: str(urlsplit(url).port) for setting, url in wanted.items()}
    with started(tmp_path, {**settings, "TRAFFIC": "on"}) as second:
        second.wait_for_line("READY ")
        description = second.description()
        for setting, port in settings.items():
            assert f"Port {port} is taken; {setting} is " in second.said()
        assert status(f"{description['api_url']}/api/v1/health") == 200
        for outcome in ("opens with a trial", "published on NATS: account.created"):
            wait(lambda words=outcome: words in second.said(), READY_SECONDS)  # type: ignore[misc]
            assert outcome in second.said()
        named = f"{description['api_url']}/api/v1/credits/admin/links/shopify/velo-vera.myshopify.com"
        wait(lambda: status(named, description["admin_token"]) == 200, READY_SECONDS)
        assert status(named, description["admin_token"]) == 200
        os.kill(description["pids"]["bridge"], signal.SIGKILL)
        assert second.process.wait(END_SECONDS) == 1
    assert "The bridge was ended by signal 9" in second.said()
    assert not any(alive(pid) for pid in description["pids"].values())
    assert not (second.directory / "stack.json").exists()
    assert status(f"{first['api_url']}/api/v1/health") == 200


def test_ending_during_the_setup_leaves_nothing_behind(tmp_path: Path) -> None:
    settings = {"AWS_PORT": str(free_port())}
    with started(tmp_path, settings) as run:
        emulator = f"http://{LOOPBACK}:{settings['AWS_PORT']}/_ministack/health"
        wait(lambda: answers(emulator), READY_SECONDS)
        assert run.end() == 0
        assert not answers(emulator)
    assert "READY" not in run.said()


def test_a_port_that_is_none_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with started(tmp_path, {"NATS_PORT": "often"}) as run:
        assert run.process.wait(END_SECONDS) == 2
    assert "NATS_PORT is 'often'" in run.said()


def test_ctrl_c_ends_everything_with_the_last_line_saying_so(stack: Run) -> None:
    pids = stack.description()["pids"].values()
    assert stack.end(signal.SIGINT) == 0
    assert not any(alive(pid) for pid in pids)
    assert not (stack.directory / "stack.json").exists()
    assert stack.said().endswith("Ending everything that was started.\n")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent is gone")
def test_nothing_outlives_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    with started(tmp_path, {}) as run:
        run.wait_for_line("READY ")
        pids = run.description()["pids"].values()
        run.end(signal.SIGKILL)
        wait(lambda: not any(alive(pid) for pid in pids), END_SECONDS)
        assert not any(alive(pid) for pid in pids)
