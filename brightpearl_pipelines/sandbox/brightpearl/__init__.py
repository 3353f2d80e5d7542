"""The Brightpearl emulator (brightpearl.md)."""

from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator

__all__ = ["BrightpearlEmulator"]
