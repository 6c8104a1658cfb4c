"""Label files and images to batches."""
