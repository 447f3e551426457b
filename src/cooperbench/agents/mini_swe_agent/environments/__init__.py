"""The documented import paths of the environments."""
