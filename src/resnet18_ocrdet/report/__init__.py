"""Analysis of a score: which boxes are wrong and why, recall by text size, comparison of two scores."""
