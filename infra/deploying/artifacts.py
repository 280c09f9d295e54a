"""Where releases are kept in an account: one bucket, closed to everybody else, named after the account and region."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CODE_PLACEHOLDER = "./deployment.zip"
ENCRYPTED = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
CLOSED = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}


def bucket_name(account: str, region: str) -> str:
    """Return the bucket of an account and region for releases."""
    return f"credits-releases-{account}-{region}"


def upload(session: boto3.Session, folder: Path, *, account: str) -> str:
    """Upload code and template of `folder` under names made of their content, and return the template's address."""
    s3: S3Client = session.client("s3", config=Config(s3={"addressing_style": "path"}))
    bucket = _bucket(s3, account, session.region_name)
    code = (folder / "deployment.zip").read_bytes()
    code_key = f"{hashlib.sha256(code).hexdigest()}.zip"
    template = (folder / "sam.yaml").read_text().replace(CODE_PLACEHOLDER, f"s3://{bucket}/{code_key}").encode()
    template_key = f"{hashlib.sha256(template).hexdigest()}.yaml"
    s3.put_object(Bucket=bucket, Key=code_key, Body=code, ExpectedBucketOwner=account)
    s3.put_object(Bucket=bucket, Key=template_key, Body=template, ExpectedBucketOwner=account)
    return f"{s3.meta.endpoint_url}/{bucket}/{template_key}"


def _bucket(s3: "S3Client", account: str, region: str) -> str:
    """Return the bucket; it is there afterwards, encrypted, and open to nobody else and over TLS only."""
    name = bucket_name(account, region)
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        # us-east-1 is the one region that a bucket's place must not name.
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=name, **place)  # type: ignore[arg-type]
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=CLOSED)  # type: ignore[arg-type]
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=ENCRYPTED)  # type: ignore[arg-type]
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    arn = f"arn:{s3.meta.partition}:s3:::{name}"
    s3.put_bucket_policy(
        Bucket=name,
        Policy=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "OverTlsOnly",
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "s3:*",
                        "Resource": [arn, f"{arn}/*"],
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    }
                ],
            }
        ),
    )
    return name
