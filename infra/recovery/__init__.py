"""Disaster recovery: restore tables, make a stack around them, stop writers, replay events.

README.md in this folder describes when and in which order; tests/stack/test_recovery.py rehearses it in the emulator.
`tables` restores, `agreement` makes the ledger's two tables agree, `adoption` makes a stack around all of them,
`writers` stops and starts what writes, `again` replays the archives of the buses and moves messages from queue to
queue, `everybody` reads the ledger page by page; `__main__` is the command line.
"""
