"""The merchant credit service, as it ships.

The layers, from the inside out. Imports go one way, and `lint-imports` enforces this:

    domain/     what credits are and how they move: pure, standard library only
    ports/      what the use cases need from outside
    usecases/   what the service does: post movements, end a message, count, reconcile, answer a status
    contracts/  the formats of events in and out, of Shopify's and Stripe's webhooks, and of the API's answers
    adapters/   DynamoDB, Redis, EventBridge, SQS, Lambda and tokens
    wiring/     builds adapters and use cases, once per container
    handlers/   one entry point for each function
    api/        the HTTP API: routes and their shared machinery

Beside them, for the layers that know the outside: settings.py (read on first use, by environment.py), telemetry.py
(log lines, metrics and a container's counters) and static/ (the pages and documents that ship).
"""
