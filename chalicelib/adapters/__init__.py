"""The ports' adapters: DynamoDB, EventBridge, SQS and tokens."""
