"""The wire: events in, events out, HTTP answers and problems."""
