"""What no policy may say, whatever its function needs (tests/infra/test_rights.py compares needs and grants)."""

import json
from collections.abc import Iterator
from typing import Any

Resources = dict[str, dict[str, Any]]
Grants = dict[str, set[str]]

LEDGER = ("CreditsTable", "TransactionsTable")
LEDGER_READ = {"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"}
WRITING_LEDGER = {"AdjustCreditsRole", "IngestEventsRole", "PostDueRole", "SetThresholdRole"}
KEY_READERS = {
    "ApiHandlerRole": (
        "CursorKeyParameter",
        "JwtKeyParameter",
        "RedisUrlParameter",
        "ShopifySecretParameter",
        "StripeSecretParameter",
    ),
    "AuthorizeRole": ("JwtKeyParameter",),
    "RollUpRole": ("RedisUrlParameter",),
}
OF_INSTALLATIONS = {"HasRedisSubnets", "HasKmsKey"}
"""Conditions of rights that no call shows: where an installation has subnets, or keys of its own."""
MANY = ("FindStream", "TryVersions", "TellCodeDeploy", "ReadFeed", "WriteReports")
"""Rights for what nobody can name beforehand."""
OF_SERVICES = {"CodeDeployRole", "GatewayAccountRole"}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def roles(resources: Resources) -> list[str]:
    """Return the roles of the functions."""
    found = [name for name, one in resources.items() if one["Type"] == "AWS::IAM::Role" and name not in OF_SERVICES]
    # Those with which Scheduler calls a function: tests/infra/test_upkeep.py.
    return [name for name in found if not name.endswith("ScheduleRole")]


def statements(resources: Resources, role: str, *, keys_are_set: bool) -> Iterator[dict[str, Any]]:
    (policy,) = resources[role]["Properties"]["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        if "Fn::If" not in statement:
            yield statement
        elif keys_are_set and statement["Fn::If"][0] not in OF_INSTALLATIONS:
            yield statement["Fn::If"][1]


def name(resource: dict[str, Any]) -> str:
    if "Fn::GetAtt" in resource:
        return ".".join(resource["Fn::GetAtt"])
    text: str = resource["Fn::Sub"]
    return text


def grants(resources: Resources, role: str, *, keys_are_set: bool = False) -> Grants:
    found: Grants = {}
    for statement in statements(resources, role, keys_are_set=keys_are_set):
        assert statement["Effect"] == "Allow"
        for resource in listed(statement["Resource"]):
            found.setdefault(name(resource), set()).update(listed(statement["Action"]))
    return found


def test_every_function_has_a_role_of_its_own(resources: Resources) -> None:
    assumed = [
        one["Properties"]["Role"]["Fn::GetAtt"][0]
        for one in resources.values()
        if one["Type"] == "AWS::Serverless::Function"
    ]

    assert sorted(assumed) == sorted(roles(resources))


def test_nobody_but_lambda_takes_a_role_of_a_function(resources: Resources) -> None:
    for role in roles(resources):
        (trust,) = resources[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}
        assert "ManagedPolicyArns" not in resources[role]["Properties"]


def test_no_role_goes_beyond_the_boundary_where_there_is_one(template: dict[str, Any], resources: Resources) -> None:
    """The role that deploys for GitHub makes no role without it."""
    boundary = {"Fn::If": ["HasPermissionsBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]}
    found = {name: one["Properties"] for name, one in resources.items() if one["Type"] == "AWS::IAM::Role"}

    assert len(found) > len(OF_SERVICES)
    assert all(one["PermissionsBoundary"] == boundary for one in found.values())
    assert template["Conditions"]["HasPermissionsBoundary"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "PermissionsBoundary"}, ""]}]
    }
    assert template["Parameters"]["PermissionsBoundary"]["Default"] == ""


def test_codedeploy_moves_aliases_with_a_role_of_this_template(template: dict[str, Any], resources: Resources) -> None:
    role = resources["CodeDeployRole"]
    (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    name = "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSCodeDeployRoleForLambda"

    preference = template["Globals"]["Function"]["DeploymentPreference"]
    assert preference["Role"] == {"Fn::GetAtt": ["CodeDeployRole", "Arn"]}
    assert trust["Principal"] == {"Service": "codedeploy.amazonaws.com"}
    assert (trust["Effect"], trust["Action"]) == ("Allow", "sts:AssumeRole")
    assert role["Properties"]["ManagedPolicyArns"] == [{"Fn::Sub": name}]
    assert role["Properties"]["Tags"] == resources["GatewayAccountRole"]["Properties"]["Tags"]
    (own,) = role["Properties"]["Policies"]
    (calling,) = own["PolicyDocument"]["Statement"]
    assert (calling["Action"], calling["Resource"]) == ("lambda:InvokeFunction", {"Fn::GetAtt": ["SmokeTest", "Arn"]})


def test_a_release_waits_for_its_smoke_test_which_waits_for_none(
    template: dict[str, Any], resources: Resources
) -> None:
    preference = template["Globals"]["Function"]["DeploymentPreference"]
    smoke_test = resources["SmokeTest"]["Properties"]

    assert preference["Hooks"] == {"PreTraffic": {"Ref": "SmokeTest"}}
    assert smoke_test["DeploymentPreference"] == {"Enabled": False}
    assert smoke_test["Environment"]["Variables"] == {
        "API_VERSION": {"Ref": "APIHandler.Version"},
        "ADJUST_VERSION": {"Ref": "AdjustCredits.Version"},
        "INGEST_VERSION": {"Ref": "IngestEvents.Version"},
    }


def test_a_function_may_read_the_keys_that_its_settings_name_once_they_do(resources: Resources) -> None:
    place = "${AWS::Region}:${AWS::AccountId}"
    for role in roles(resources):
        without, with_keys = (grants(resources, role, keys_are_set=value) for value in (False, True))
        more = {one: actions for one, actions in with_keys.items() if one not in without and ":s3:" not in one}
        assert more == {
            f"arn:${{AWS::Partition}}:{service}:{place}:{text}": {action}
            for parameter in KEY_READERS.get(role, ())
            for service, text, action in (
                ("ssm", f"parameter${{{parameter}}}", "ssm:GetParameter"),
                ("secretsmanager", f"secret:${{{parameter}}}-??????", "secretsmanager:GetSecretValue"),
            )
        }


def test_the_bucket_of_orders_is_only_read_but_for_its_reports(resources: Resources) -> None:
    bucket = "arn:${AWS::Partition}:s3:::${OrdersBucket}"
    without, with_bucket = (grants(resources, "MatchOrdersRole", keys_are_set=value) for value in (False, True))
    listing = next(
        one
        for one in statements(resources, "MatchOrdersRole", keys_are_set=True)
        if one["Resource"] == {"Fn::Sub": bucket}
    )

    assert {one: actions for one, actions in with_bucket.items() if one not in without} == {
        bucket: {"s3:ListBucket"},
        f"{bucket}/${{OrdersPrefix}}*": {"s3:GetObject"},
        f"{bucket}/order-reports/*": {"s3:DeleteObject", "s3:GetObject", "s3:PutObject"},
    }
    assert listing["Condition"] == {"StringLike": {"s3:prefix": [{"Fn::Sub": "${OrdersPrefix}*"}, "order-reports/*"]}}
    assert not any(action.startswith("s3:") for actions in without.values() for action in actions)


def _in_subnets(resource: dict[str, Any]) -> bool:
    return "VpcConfig" in resource.get("Properties", {})


def of_installation(resources: Resources, condition: str) -> dict[str, dict[str, Any]]:
    return {
        role: statement["Fn::If"][1]
        for role in roles(resources)
        for statement in resources[role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
        if statement.get("Fn::If", [None])[0] == condition
    }


def test_who_reads_keys_may_decrypt_them_where_they_are_under_a_key_of_ones_own(
    template: dict[str, Any], resources: Resources
) -> None:
    found = of_installation(resources, "HasKmsKey")

    assert found.keys() == KEY_READERS.keys()
    assert template["Conditions"]["HasKmsKey"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "KmsKeyArn"}, ""]}]}
    assert template["Parameters"]["KmsKeyArn"]["Default"] == ""
    for statement in found.values():
        assert (statement["Action"], statement["Resource"]) == ("kms:Decrypt", {"Ref": "KmsKeyArn"})
        (services,) = statement["Condition"]["StringEquals"].values()
        assert [one["Fn::Sub"].split(".")[0] for one in services] == ["secretsmanager", "ssm"]


def test_who_asks_redis_can_be_in_its_subnets(template: dict[str, Any], resources: Resources) -> None:
    found = of_installation(resources, "HasRedisSubnets")
    inside = {name: one["Properties"]["VpcConfig"] for name, one in resources.items() if _in_subnets(one)}
    network = inside["APIHandler"]

    assert set(found) == {"ApiHandlerRole", "RollUpRole"}
    assert set(inside) == {"APIHandler", "RollUp"}
    assert network == inside["RollUp"]
    assert all(action.startswith("ec2:") for statement in found.values() for action in statement["Action"])
    assert template["Conditions"]["HasRedisSubnets"] == {
        "Fn::And": [
            {"Fn::Not": [{"Fn::Equals": [{"Ref": one}, ""]}]} for one in ("RedisSubnets", "RedisSecurityGroups")
        ]
    }
    assert network["Fn::If"][0] == "HasRedisSubnets"
    assert network["Fn::If"][1] == {
        "SubnetIds": {"Fn::Split": [",", {"Ref": "RedisSubnets"}]},
        "SecurityGroupIds": {"Fn::Split": [",", {"Ref": "RedisSecurityGroups"}]},
    }
    assert network["Fn::If"][2] == {"Ref": "AWS::NoValue"}
    assert {template["Parameters"][one]["Default"] for one in ("RedisSubnets", "RedisSecurityGroups")} == {""}


def test_no_role_has_a_wildcard_for_an_action_or_for_resources(resources: Resources) -> None:
    for role in roles(resources):
        for statement in statements(resources, role, keys_are_set=True):
            assert "*" not in json.dumps(statement["Action"])
            for resource in listed(statement["Resource"]):
                assert isinstance(resource, dict)
                # A stream's name ends in the time of its table's birth, a function's version and a deployment's group
                # in what the release makes, a file's in what its shop calls it.
                assert "*" not in name(resource) or statement["Sid"] in MANY


def test_nobody_may_delete_an_item_but_links_the_words_of_a_label_and_what_waits(resources: Resources) -> None:
    may = {}
    for role in roles(resources):
        for statement in statements(resources, role, keys_are_set=True):
            if any("Delete" in one for one in listed(statement["Action"]) if one.startswith("dynamodb:")):
                may[role, name(statement["Resource"])] = statement.get("Condition")

    words = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["word:*"]}}
    waiting = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["waiting"]}}
    assert may == {
        ("ApiHandlerRole", "LinksTable.Arn"): None,
        ("IngestEventsRole", "LinksTable.Arn"): words,
        ("ApiHandlerRole", "DeskTable.Arn"): waiting,
        ("AdjustCreditsRole", "DeskTable.Arn"): waiting,
    }


def test_only_the_functions_of_the_ledger_may_write_to_it(resources: Resources) -> None:
    for role in roles(resources):
        of_ledger = set().union(
            *(
                actions
                for resource, actions in grants(resources, role, keys_are_set=True).items()
                if resource in {f"{table}.Arn" for table in LEDGER}
            )
        )
        assert role in WRITING_LEDGER or of_ledger <= LEDGER_READ | {"dynamodb:Scan"}


def test_only_own_items_of_the_figures_may_be_written(resources: Resources) -> None:
    own = {
        "ApiHandlerRole": ["container#*", "discarded#*"],
        "RollUpRole": ["container#*", "day#*", "fleet#*", "merchant#*", "month#*", "recent"],
        "ReconcileRole": ["container#*", "reconcile"],
        "PostDueRole": ["container#*", "due"],
    }
    for role in roles(resources):
        for statement in statements(resources, role, keys_are_set=True):
            if "dynamodb:PutItem" in listed(statement["Action"]) and statement["Resource"] == {
                "Fn::GetAtt": ["FiguresTable", "Arn"]
            }:
                assert statement["Condition"] == {
                    "ForAllValues:StringLike": {"dynamodb:LeadingKeys": own.get(role, ["container#*"])}
                }


def test_statuses_and_histories_are_read_by_a_function_that_can_only_read(resources: Resources) -> None:
    everywhere = grants(resources, "ApiHandlerRole", keys_are_set=True)
    written = ("FiguresTable.Arn", "DeskTable.Arn", "LinksTable.Arn")
    granted = set().union(*(actions for one, actions in everywhere.items() if one not in written))

    # The scan is there only where METRICS_PER_MERCHANT is on.
    assert {action for action in granted if action.startswith("dynamodb:")} == LEDGER_READ | {"dynamodb:Scan"}
