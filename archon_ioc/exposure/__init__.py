"""The exposure engine: one camera, 1 to N controllers."""
