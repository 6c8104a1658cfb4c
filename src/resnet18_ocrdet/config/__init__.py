"""From the words on the command line to one checked run config. Imports neither torch nor the rest of the package."""
