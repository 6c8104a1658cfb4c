"""Checks of a data set: images, regions and labels; advice for training; reports and a cleaned copy."""
