"""Measurements against a running local stack: figures for a person, no tests.

latency.py   from an event to the balance, and from a write to the event on NATS
"""
