"""What the HTTP API answers: bodies, problems, pages and cursors."""
