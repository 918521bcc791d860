"""Run a network over sources, tile by tile."""
