"""Plugin statuses that containers share in Redis."""
