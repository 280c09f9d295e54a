"""The rights that CloudFormation needs to make a stack, computed from the schemas of its resources.

A schema lists what its handlers ask of AWS, for every property that a resource could have. `UNUSED` lists what our
stack has no property for, `BESIDE_SCHEMAS` what a service asks although no schema says so. Both are argued, and a test
compares the result with the role in infra/deploying/github.yaml: what is needed is granted, and nothing else.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from infra.packaging.region import REGION

HANDLERS = ("create", "read", "update", "delete")

UNUSED = {
    "apigateway:UpdateRestApiPolicy": "the API has no resource policy",
    "cloudfront:*ConnectionGroup": "no distribution is shared by tenants",
    "cloudfront:GetVpcOrigin": "the origin of the edge is a public API",
    "cloudfront:UpdateDistributionWithStagingConfig": "no distribution is staged",
    "codedeploy:RegisterOnPremisesInstance": "nothing runs outside AWS",
    "dynamodb:AssociateTableReplica": "no table has replicas",
    "dynamodb:BatchWriteItem": "no table has replicas",
    "dynamodb:CreateTableReplica": "no table has replicas",
    "dynamodb:DeleteItem": "no table has replicas",
    "dynamodb:GetItem": "no table has replicas",
    "dynamodb:PutItem": "no table has replicas",
    "dynamodb:Query": "no table has replicas",
    "dynamodb:Scan": "no table has replicas",
    "dynamodb:UpdateItem": "no table has replicas",
    "dynamodb:DeleteResourcePolicy": "no table has a resource policy",
    "dynamodb:PutResourcePolicy": "no table has a resource policy",
    "dynamodb:*Import*": "no table is imported",
    "dynamodb:DisableKinesisStreamingDestination": "no table streams to Kinesis",
    "dynamodb:EnableKinesisStreamingDestination": "no table streams to Kinesis",
    "dynamodb:UpdateKinesisStreamingDestination": "no table streams to Kinesis",
    "elasticfilesystem:*": "no function has a file system",
    "events:PutPermission": "the bus has no resource policy",
    "events:RemovePermission": "the bus has no resource policy",
    "firehose:*": "no log goes to Firehose",
    "iam:AttachGroupPolicy": "policies are attached to people by hand, never by a deployment",
    "iam:AttachUserPolicy": "the same",
    "iam:DetachGroupPolicy": "the same",
    "iam:DetachUserPolicy": "the same",
    "iam:DeleteRolePermissionsBoundary": "who may take the boundary off a role may become administrator",
    "kinesis:*": "no table streams to Kinesis",
    "kms:*": "keys are those that AWS manages; their own policies let the account use them through the service",
    "lambda:*CodeSigningConfig": "code is not signed",
    "lambda:*ProvisionedConcurrencyConfig": "no alias has provisioned concurrency",
    "lambda:AssociateRuntimeAlias": "a name in a schema that IAM does not know as an action",
    "lambda:GetLayerVersion": "no function has layers",
    "lambda:PassCapacityProvider": "functions run on Lambda's own capacity",
    "logs:*IndexPolicy": "no log group has fields indexed",
    "logs:*IndexPolicies": "no log group has fields indexed",
    "logs:*DataProtectionPolicy": "no log group masks data: no line holds any",
    "logs:*KmsKey": "logs are under CloudWatch's own key",
    "logs:CreateLogStream": "no table is imported",
    "logs:DescribeLogStreams": "no table is imported",
    "logs:PutLogEvents": "no table is imported",
    "logs:PutBearerTokenAuthentication": "logs are written with AWS credentials only",
    "logs:PutLogGroupDeletionProtection": "logs may be deleted",
    "logs:AllowVendedLogDeliveryForResource": "nothing but the bus delivers its log",
    "autoloop:*": "nothing but the bus delivers its log",
    "codewhisperer:*": "nothing but the bus delivers its log",
    "workmail:*": "nothing but the bus delivers its log",
    "logs:*DeliveryDestinationPolicy": "no other account delivers logs",
    "payments:*": "no rule asks for a payment",
    "s3:getObject": "the HTTP API's routes are resources, not a file",
    "s3:GetObjectMetadata": "no table is imported",
    "s3:GetObjectVersion": "code is named by its hash, not by a version",
    "s3:ListBucket": "no table is imported",
    "s3:REST.PUT.OBJECT": "no log group is exported",
    "s3files:*": "no function has a file system",
    "sns:*DataProtectionPolicy": "an alarm's message holds no data",
}
"""Patterns of actions to the reason why a deployment does without. Reads are left out only where nothing is read."""

READ_ALL_THE_SAME = frozenset(
    {
        "lambda:GetFunctionCodeSigningConfig",
        "lambda:GetProvisionedConcurrencyConfig",
        "logs:DescribeIndexPolicies",
        "logs:GetDeliveryDestinationPolicy",
        "logs:GetDataProtectionPolicy",
        "sns:GetDataProtectionPolicy",
    }
)
"""What the read handlers ask whether the property is there or not."""

BESIDE_SCHEMAS = {
    "cloudwatch:DescribeAlarms": "CodeDeploy's groups name alarms that must be there",
    "events:AllowVendedLogDeliveryForResource": "the bus's log: docs.aws.amazon.com/eventbridge, eb-event-bus-logs",
    "logs:CreateLogDelivery": "API Gateway's access log: docs.aws.amazon.com/apigateway, set-up-logging",
    "logs:DeleteLogDelivery": "the same",
    "logs:DescribeLogGroups": "the same",
    "logs:DescribeResourcePolicies": "the same",
    "logs:GetLogDelivery": "the same",
    "logs:ListLogDeliveries": "the same",
    "logs:PutResourcePolicy": "the same",
    "logs:UpdateLogDelivery": "the same",
}


def needed(types: Iterable[str]) -> frozenset[str]:
    """Return the actions that CloudFormation needs for resources of these types."""
    listed = frozenset[str]().union(*(of_schema(one) for one in types))
    used = {action for action in listed if action in READ_ALL_THE_SAME or not _unused(action)}
    return frozenset(used | BESIDE_SCHEMAS.keys())


def of_schema(resource_type: str) -> frozenset[str]:
    """Return the actions that the schema of a type lists for making, reading, changing, deleting and tagging it."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # noqa: PLC0415 - a second to import

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, resource_type).schema
    handlers = schema.get("handlers", {})
    actions = {action for name in HANDLERS for action in handlers.get(name, {}).get("permissions", [])}
    tagging = schema.get("tagging", {})
    return frozenset(actions | set(tagging.get("permissions", []) if isinstance(tagging, dict) else []))


def _unused(action: str) -> bool:
    return any(fnmatchcase(action, pattern) for pattern in UNUSED)
