"""A typed client of the running server, for other systems: launch, wait, read results, report new data.

    from rag_assets.client import Client

    with Client("http://127.0.0.1:3000") as client:
        run = client.launch("ingest_source", source="handbook", request_id="nightly-2031-05-04")
        result = client.result(client.wait(run.run_id).run_id)

It needs neither Dagster nor the project's configuration: it talks HTTP (GraphQL, and REST for reports).
"""

from rag_assets.client.client import Client
from rag_assets.client.model import CheckVerdict, Job, Materialization, Run, RunResult

__all__ = ["CheckVerdict", "Client", "Job", "Materialization", "Run", "RunResult"]
