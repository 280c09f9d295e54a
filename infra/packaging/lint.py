"""Lints a packaged template as SAM and as the CloudFormation that SAM makes of it, and finds what AWS would refuse."""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cfnlint.api import lint
from cfnlint.config import ManualArgs
from samtranslator.translator.transform import transform

from infra.packaging.refusals.rules import refusals
from infra.packaging.region import REGION
from infra.packaging.yaml_text import yaml_parse


class _NoManagedPolicies:
    """Gives SAM no managed policies: the template names none, and listing AWS's needs an account."""

    def load(self) -> dict[str, str]:
        return {}


def findings(sam: Path, values: Mapping[str, str]) -> Iterator[str]:
    """Yield what cfn-lint and `refusals` find in the template `sam`, one sentence each; nothing when it is clean.

    The translation is what AWS makes of it with these `values` of parameters.
    """
    template = sam.read_text()
    cloudformation = translated(template, values)
    yield from _findings("SAM", template)
    yield from _findings("CloudFormation", cloudformation)
    yield from refusals(cloudformation, values)


def translated(sam: str, values: Mapping[str, str]) -> str:
    """Return the CloudFormation template, as JSON, that AWS makes of a SAM template given as YAML."""
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    # It warns of a switch that only AWS can set.
    logging.getLogger("samtranslator.feature_toggle.feature_toggle").setLevel(logging.ERROR)
    # AWS sees the template after the upload, when the code has an address in S3.
    template: dict[str, Any] = yaml_parse(sam.replace("./deployment.zip", "s3://bucket/deployment.zip"))
    return json.dumps(transform(template, dict(values), _NoManagedPolicies()))


def _findings(form: str, template: str) -> list[str]:
    matches = lint(template, config=ManualArgs(regions=[REGION]))
    return [f"{form}: {match.rule.id} {match.message} (line {match.linenumber})" for match in matches]
