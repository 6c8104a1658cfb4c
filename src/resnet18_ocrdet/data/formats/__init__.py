"""Label formats, one module each. `reader.py` holds their contract and the list of them."""
