"""Synthetic scenes with text, rendered on demand, with exact labels."""
