"""What a score is made of: which boxes are wrong and how, by size of the text, and whether two scores differ."""
