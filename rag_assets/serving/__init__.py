"""The front door of Dagster's UI: a guard against foreign web pages, the reports, and the processes behind it.

Dagster's webserver has no login, executes a mutation that arrives by GET, and checks neither `Host` nor `Origin`, so
any web page that is open in a browser on the same machine could launch runs. `guard.py` closes that;
`webserver.py` puts it around Dagster's own application; `supervisor.py` starts and stops what belongs together.
"""

from rag_assets.serving.guard import Guard
from rag_assets.serving.hosts import AllowedHosts

__all__ = ["AllowedHosts", "Guard"]
