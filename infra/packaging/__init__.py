"""Packages the application: build, slim, archive, lint."""
