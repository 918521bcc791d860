"""The docked panels: one task, one primary button each."""
