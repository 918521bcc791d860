"""Published architectures: their torch-free facts and specs, and the networks."""
