"""Painting with an answer: backbones that learn a survey, and heads fitted to strokes on them."""
