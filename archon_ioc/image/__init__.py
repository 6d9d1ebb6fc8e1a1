"""From a fetched frame to FITS: pure functions on numpy arrays."""
