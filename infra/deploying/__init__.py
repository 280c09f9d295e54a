"""Deploys the package, to AWS and into the emulator."""
