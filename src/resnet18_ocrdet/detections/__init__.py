"""Detection of whole folders: which images, how they flow through the network, and the folder of their results."""
