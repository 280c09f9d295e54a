"""What the service says and hears on the wire: events in, events out, HTTP answers and problems."""
