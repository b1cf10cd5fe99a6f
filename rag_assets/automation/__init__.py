"""What launches the assets: jobs, and the functions that run them one after another."""

from rag_assets.automation.jobs import JOBS

__all__ = ["JOBS"]
