"""Tasks in the formats of other programs: Harbor's folders out, Harbor's folders and SWE-bench's instances in."""

from cooperbench.task_formats.harbor_export import ExportedSetting, HarborExport, export_harbor

__all__ = ["ExportedSetting", "HarborExport", "export_harbor"]
