"""Varied scenes: `data.style=varied`. Real fonts and texts, many ways to letter, light and camera as on photos."""
