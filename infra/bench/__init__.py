"""Measurements: `make bench` prints a table and writes JSON, with the goals beside the figures.

units.py      what DynamoDB charges, by its published rules
tables.py     the tables in memory under botocore, metered
functions.py  the functions as AWS calls them, in this process
counted.py    requests, units and items of every event and route: gates of the tests
cpu.py        CPU of orders and statuses on a transport that answers at once
imports.py    the package, and a function's first answer in a new container, from the zip alone
memory.py     first and later answers by the share of a core that memory buys, and what they cost
busy.py       one merchant with many workers, on the emulator
limits.py     the same against DynamoDB's limits, simulated
long.py       100,000 accounts and 1,000,000 transactions beside a small ledger
costs.py      the cost sheet, from counted units and published prices (prices.py); months.py a month of three fleets
traffic.py    batches, delays and costs of simulated traffic
latency.py    from an event to its balance and its threshold event, on a running local stack
"""
