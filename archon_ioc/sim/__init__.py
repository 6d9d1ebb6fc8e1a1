"""A faithful simulated Archon. Shares only the protocol and the ACF with the driver."""
