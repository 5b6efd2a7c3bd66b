"""The commands of the command line; `gantoys.__main__` gathers them."""
