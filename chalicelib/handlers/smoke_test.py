"""Tries a release before it gets calls: CodeDeploy's hook (contract, section 7, "The smoke test")."""

from typing import Any

from chalice.app import Blueprint

blueprint = Blueprint(__name__)

DEPLOYMENT, EXECUTION = "DeploymentId", "LifecycleEventHookExecutionId"
"""The fields of the event with which CodeDeploy calls a hook."""


@blueprint.lambda_function(name="smoke_test")
def smoke_test(event: Any, context: Any) -> dict[str, Any]:  # noqa: ARG001 - each call to AWS has a time of its own
    """Try the new versions of the functions, report the result to CodeDeploy, and return `{"passed", "faults"}`.

    The result is reported only for a call of CodeDeploy.

    Raises:
        ClientError, BotoCoreError: CodeDeploy did not accept the report, and waits until its time-out.
    """
    from chalicelib.telemetry import logger
    from chalicelib.wiring import for_releases

    found = _faults()
    logger.info("smoke test", passed=not found, faults=found, deployment_id=event.get(DEPLOYMENT))
    if EXECUTION in event:
        for_releases.codedeploy().report(event[DEPLOYMENT], event[EXECUTION], passed=not found)
    return {"passed": not found, "faults": found}


def _faults() -> list[str]:
    from chalicelib.contracts.canary import CANARY, bodies
    from chalicelib.telemetry import logger
    from chalicelib.usecases.smoke_test import faults
    from chalicelib.wiring import for_releases

    try:
        return faults(for_releases.versions(), for_releases.canary, CANARY, bodies())
    except Exception as error:  # noqa: BLE001 - without a report, CodeDeploy waits
        logger.exception("the smoke test itself failed")
        return [f"the smoke test itself failed: {type(error).__name__}"]
