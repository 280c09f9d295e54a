"""The five tables in DynamoDB: credits, transactions, figures, links and desk."""
