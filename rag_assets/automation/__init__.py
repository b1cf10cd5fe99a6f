"""What launches the assets: jobs, the sensors and schedules that start them, and the functions that run them here."""

from rag_assets.automation.jobs import JOBS
from rag_assets.automation.schedules import SCHEDULES
from rag_assets.automation.sensors import SENSORS

__all__ = ["JOBS", "SCHEDULES", "SENSORS"]
