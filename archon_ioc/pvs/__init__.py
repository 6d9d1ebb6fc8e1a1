"""Process variables, declared as data."""
