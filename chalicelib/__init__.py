"""The merchant credit service, as it ships.

The rooms, from the inside out; imports go one way, and `lint-imports` holds them to it:

    domain/     what credits are and how they move: pure, standard library only
    ports/      what the use cases need of the outside world
    usecases/   what the service does: post movements, end a message, count, reconcile, answer a status
    contracts/  the formats of events in and out, of Shopify's and Stripe's webhooks, and of the API's answers
    adapters/   DynamoDB, Redis, EventBridge, SQS, Lambda and tokens
    wiring/     builds adapters and use cases, once a container
    handlers/   one entry point for each function
    api/        the HTTP API: routes and their shared machinery

Beside them, for all but the domain: settings.py (on first use, read by environment.py), telemetry.py (metrics and what
a container counts), lines.py (log lines), static/ (the pages and documents that ship).
"""
