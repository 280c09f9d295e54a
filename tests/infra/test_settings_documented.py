"""Every setting that the code reads is on the settings page and in `.env.example`."""

import re
from pathlib import Path
from typing import Any

from chalicelib.settings import Settings
from infra.bridge.settings import Settings as BridgeSettings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "infra/docs/settings.md").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()


class Recorded(dict[str, str]):
    """An environment that records the names that it is asked for."""

    def __init__(self, **values: str) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.names.add(key)
        return super().get(key, default)


def documented(*headings: str) -> set[str]:
    sections = [PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0] for heading in headings]
    assert all(sections)
    rows = re.findall(r"^\| (`[^|]+) \|", "\n".join(sections), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}


def test_the_settings_page_has_every_setting_of_the_service() -> None:
    environment = Recorded()
    Settings.read(environment)

    assert len(environment.names) > 30
    # Powertools reads the name of the service itself.
    assert (environment.names | {"SERVICE_NAME"}) - documented("The service") == set()


def test_the_settings_page_has_every_setting_of_the_bridge() -> None:
    queue = "https://sqs.us-east-1.amazonaws.com/123456789012/inbox"
    environment = Recorded(NATS_URL="nats://127.0.0.1:4222", INBOX_QUEUE_URL=queue, OUTBOX_QUEUE_URL=f"{queue}-out")
    BridgeSettings.from_environment(environment)

    assert len(environment.names) > 15
    # A secret may be a file, under its name with this ending.
    assert {name.removesuffix("_FILE") for name in environment.names} - documented("The bridge") == set()


def test_the_example_has_every_documented_setting_and_sets_none() -> None:
    names = documented("The service", "The bridge", "The local stack", "The command line")

    assert set(re.findall(r"^# ([A-Z_]+)=", EXAMPLE, re.MULTILINE)) == names - {"AWS_ENDPOINT_URL"}
    assert [line for line in EXAMPLE.splitlines() if line and not line.startswith("#")] == []
