"""What credits are and how they move: pure functions and frozen values, standard library only."""
