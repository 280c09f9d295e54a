"""The outside world behind the ports: DynamoDB, EventBridge, SQS and tokens."""
