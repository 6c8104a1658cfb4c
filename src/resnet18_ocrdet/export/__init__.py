"""Export of a trained network to one file, and the comparison with its checkpoint."""
