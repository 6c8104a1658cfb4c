"""A trained network on images: reading it, tiles, decoding its maps."""
