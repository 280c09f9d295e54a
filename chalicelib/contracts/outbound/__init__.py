"""Events out, and what can be derived of them from the transactions."""
