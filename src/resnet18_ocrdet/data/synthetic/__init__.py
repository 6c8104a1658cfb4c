"""Scenes with text, drawn on demand: photographs' difficulties, exact labels, no download."""
