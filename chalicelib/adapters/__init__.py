"""Adapters of the ports: DynamoDB, Redis, EventBridge, SQS, Lambda, S3, CodeDeploy, parameters and tokens."""
