"""Walks a stack through its whole life, in AWS or in the emulator, and reports what was seen."""
