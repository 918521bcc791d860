"""Sources: surveys and rasters, opened read-only and read by window."""
