"""From rows to text: EPICS templates and the reference table."""
