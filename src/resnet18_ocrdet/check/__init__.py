"""The data set doctor: what is looked at in images and regions, and how it is told."""
