"""Detection on whole folders: finding the images, running the network, and the output folder."""
