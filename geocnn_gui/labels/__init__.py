"""Classes, painted labels, and the edits that change them."""
