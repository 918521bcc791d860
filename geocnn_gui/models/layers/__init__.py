"""Networks as lists of layers: what they are, what they give, and the network that is built."""
