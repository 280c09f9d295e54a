"""The bridge between NATS JetStream and the queues of the credit service, one process each way at once.

Inbound, a message that an upstream service published on NATS goes into the inbox queue and is
acknowledged to JetStream only when the queue has confirmed that very message. Outbound, an event
that the rule on the bus left in the outbox queue is published to NATS and deleted from the queue
only when JetStream has confirmed it. Both ways deliver at least once: a repeat is dropped by the
ledger (inbound) or by JetStream's duplicate window and the consumers (outbound).

Modules, in the order in which they import each other: `subjects`, `nkeys` and `states` import no other;
`access` says how NATS is reached, `nats_client` enforces TLS, `settings` reads the environment; `telemetry` counts, and
`reports` describes the outcome of a batch; `queues` speaks SQS; `streams` makes streams, `looks` sets up consumers and
checks the state of each stream; `screening` and `envelopes` judge single messages; `parking` stores what no queue can
hold; `connection` keeps the connection to JetStream; `inbound` and `outbound` move batches; `lanes` repeats that;
`heartbeat` and `health` report; `__main__` starts and drains the process. `replay`, `probe` and `prune` are commands of
their own.
"""
