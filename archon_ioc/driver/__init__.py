"""One controller, kept connected. Knows nothing of exposures, files or PVs."""
