"""The HTTP API's answers: bodies, problems, pages and cursors."""
