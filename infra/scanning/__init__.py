"""Scans dependencies, templates and workflows."""
