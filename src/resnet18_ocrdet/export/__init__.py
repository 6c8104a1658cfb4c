"""A trained network as a file for other programs, and the proof that it says the same."""
