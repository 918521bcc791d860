"""Fit a network to labelled sources."""
