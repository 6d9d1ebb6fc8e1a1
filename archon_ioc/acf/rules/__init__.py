"""The rules by subject: each looks at a configuration for one kind of mistake."""
