"""YAML is read as SAM reads it, and what is written is read back the same."""

import pytest
from samtranslator import yaml_helper

from infra.deploying.emulator import ROOT
from infra.packaging.yaml_text import yaml_parse, yaml_text

TEMPLATES = ("infra/template.yaml", "infra/public_api.yaml", "infra/monitoring/alarms.yaml", "infra/bridge/ecs.yaml")


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_read_as_sam_reads_it(name: str) -> None:
    text = (ROOT / name).read_text()

    assert yaml_parse(text) == yaml_helper.yaml_parse(text)


def test_what_is_written_is_read_back_and_has_no_aliases() -> None:
    shared = {"Ref": "Stage"}
    content = {"one": shared, "two": [shared, "ä: !Ref x"], "on": "yes"}

    written = yaml_text(content)

    assert yaml_parse(written) == content
    assert "&" not in written
