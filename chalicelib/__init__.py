"""The merchant credit service, as it ships.

The rooms, from the inside out; imports go one way, and `lint-imports` holds them to it:

    domain/     what credits are and how they move: pure, standard library only
    ports.py    what posting needs from the outside world
    posting.py  the one use case: read, apply, commit, once
    contracts/  pydantic models of events in, events out and HTTP answers
    adapters/   DynamoDB, EventBridge, SQS and tokens
    wiring.py   builds the adapters, once a container
    handlers/   thin entry points, one module a deployable
"""
