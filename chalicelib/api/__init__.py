"""The HTTP API: routes and their shared machinery. Deployed as `chalicelib.api.door.serve`."""
