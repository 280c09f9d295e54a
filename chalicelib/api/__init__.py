"""The HTTP API: routes and the machinery they share. Deployed as `app.app`."""
