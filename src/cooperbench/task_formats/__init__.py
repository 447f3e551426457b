"""Tasks in the formats of other programs: Harbor's folders out, Harbor's folders and SWE-bench's instances in."""

from cooperbench.task_formats.harbor_export import ExportedSetting, HarborExport, export_harbor
from cooperbench.task_formats.harbor_import import pool_of_folders
from cooperbench.task_formats.pools import FeaturePool, PoolFeature, Surrounding, write_pool
from cooperbench.task_formats.swebench import SweInstance, pool_of_instances, read_instances

__all__ = [
    "ExportedSetting",
    "FeaturePool",
    "HarborExport",
    "PoolFeature",
    "Surrounding",
    "SweInstance",
    "export_harbor",
    "pool_of_folders",
    "pool_of_instances",
    "read_instances",
    "write_pool",
]
