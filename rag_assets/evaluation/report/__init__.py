"""The report of an evaluation: one HTML file without any outside part, the same as Markdown, and an index of all."""

from rag_assets.evaluation.report.index import write_index
from rag_assets.evaluation.report.write import ReportPaths, metadata_markdown, write_report

__all__ = ["ReportPaths", "metadata_markdown", "write_index", "write_report"]
