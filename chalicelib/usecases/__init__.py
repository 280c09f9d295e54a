"""What the service does, one module a use case. It knows the domain and its ports, and no library."""
