"""The report of an evaluation: one HTML file without any outside part, the same as Markdown, and an index of all."""

from rag_assets.evaluation.report.index import write_index
from rag_assets.evaluation.report.write import ReportPaths, write_report

__all__ = ["ReportPaths", "write_index", "write_report"]
