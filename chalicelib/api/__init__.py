"""The HTTP API: routes and their shared machinery. Deployed as `app.app`."""
