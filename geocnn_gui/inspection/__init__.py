"""What goes on inside a trained network: layers, attributions, receptive fields, kernels at work."""
