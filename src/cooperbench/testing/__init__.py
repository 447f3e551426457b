"""Helpers for tests of CooperBench and of what extends it: real parts, no patching."""

from cooperbench.testing.images import sample_image

__all__ = ["sample_image"]
