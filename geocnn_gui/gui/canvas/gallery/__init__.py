"""Sample sets in the place of the canvas: thumbnails by class, confidence or error, one large."""
