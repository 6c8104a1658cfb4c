"""Polygons: area, offset, clipping, overlap, one by one and in batches."""
