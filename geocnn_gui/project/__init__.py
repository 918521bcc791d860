"""The folder in which the work on a source is kept."""
