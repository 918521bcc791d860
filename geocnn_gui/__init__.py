"""GeoCNN: classify and segment seismic and imagery with convolutional networks."""

__version__ = "0.1.0"
