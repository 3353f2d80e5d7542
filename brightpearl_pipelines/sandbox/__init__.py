"""Emulators of the systems, the world that fills them, and what makes it move. Imports nothing else of the package."""
