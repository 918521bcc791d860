"""Specs of networks, the networks themselves, and model files."""
