"""The merchant credit service, as it ships.

The rooms, from the inside out; imports go one way, and `lint-imports` holds them to it:

    domain/         what credits are and how they move: pure, standard library only
    ports.py        what the next four need of the outside world
    posting.py      movements become records, once: read, decide, commit
    work.py         one merchant's part of it, what is still undecided
    counting.py     the fleet's figures, kept in step with the accounts
    reconciling.py  the ledger compared with itself
    contracts/      events in, events out, HTTP answers and problems, cursors
    adapters/       DynamoDB, EventBridge, SQS, Lambda, Redis and tokens
    wiring*.py      build the adapters, once a container
    handlers/       thin entry points, one module a deployable or group of routes

Beside them, for all but the domain: settings.py (the environment, on first use), telemetry.py (log lines and
metrics), counters.py (what a container counts), static/ (the pages and documents that ship).
"""
