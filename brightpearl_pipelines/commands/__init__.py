"""The commands of `bpp`, one module each. `cli.py` puts them together and turns errors into messages and exit codes."""
