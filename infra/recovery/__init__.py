"""What a disaster asks for: tables as they were, a stack around them, writers stopped, events told again.

README.md in this folder says when and in which order; tests/stack/test_recovery.py rehearses it in the emulator.
`tables` restores, `agreement` makes the two agree, `adoption` makes a stack around them, `writers` stops and starts
those who write, `again` replays the bus's archive and moves messages from queue to queue; `__main__` is the command
line.
"""
