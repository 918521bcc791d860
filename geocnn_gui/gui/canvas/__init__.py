"""The picture of the data with labels and predictions over it."""
