"""Hooks of gradual deployments that CodeDeploy may not call, or that cannot report to it."""

from collections.abc import Iterator

from infra.packaging.refusals.resolved import Resources, allowed, named

PREFIX = "CodeDeployHook_"
"""AWS's managed policy for CodeDeploy allows functions whose name begins so, and no others."""
INVOKE, REPORT = "lambda:InvokeFunction", "codedeploy:PutLifecycleEventHookExecutionStatus"
HOOKS = ("BeforeAllowTrafficHook", "AfterAllowTrafficHook")


def hooks(found: Resources) -> Iterator[str]:
    """Yield hooks that fail a deployment: the right to call or the right to report is missing."""
    for alias, resource in found.items():
        moves = resource.get("UpdatePolicy", {}).get("CodeDeployLambdaAliasUpdate", {})
        for kind in HOOKS:
            if kind in moves:
                yield from _of_hook(found, alias, named(moves[kind]), named(moves["DeploymentGroupName"]))


def _of_hook(found: Resources, alias: str, hook: str, group: str) -> Iterator[str]:
    caller = named(found[group]["Properties"]["ServiceRoleArn"])
    function = found[hook]["Properties"]
    if not str(function.get("FunctionName", "")).startswith(PREFIX) and hook not in allowed(found, caller, INVOKE):
        yield f"{alias}: {caller} may not call {hook}, which is not named {PREFIX}…"
    role = named(function["Role"])
    if not allowed(found, role, REPORT):
        yield f"{alias}: {role} may not report the result of {hook}, and the deployment would wait in vain"
