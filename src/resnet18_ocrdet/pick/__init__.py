"""Which images of a folder to label first, and pre-labels for them."""
