"""What launches the assets: jobs, the sensors that start them, and the functions that run them one after another."""

from rag_assets.automation.jobs import JOBS
from rag_assets.automation.sensors import SENSORS

__all__ = ["JOBS", "SENSORS"]
