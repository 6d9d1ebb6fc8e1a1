"""One adapter for each outside world; only here are the server libraries imported."""
