"""Builds adapters and use cases from the settings, once a container and on first use; nothing else."""
