"""Layers: the programs of agents, fetched once from their registries and shown read-only in every sandbox."""

from cooperbench.environments.layers.installing import install_layer
from cooperbench.environments.layers.recipe import LAYERS, Cpu, Layer, LayerFile, LayerPackage, LayerRecipe
from cooperbench.environments.layers.store import cpu_of, find_layer, install_command, installed, pinned

__all__ = [
    "LAYERS",
    "Cpu",
    "Layer",
    "LayerFile",
    "LayerPackage",
    "LayerRecipe",
    "cpu_of",
    "find_layer",
    "install_command",
    "install_layer",
    "installed",
    "pinned",
]
