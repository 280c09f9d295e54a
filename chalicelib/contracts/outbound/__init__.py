"""Outbound events, and those that can be derived from the transactions."""
