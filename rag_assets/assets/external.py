"""The door for other systems: an asset that they report on, and that starts the chain."""

import dagster as dg

from rag_assets.assets.partitions import SOURCES

source_updates = dg.AssetSpec(
    "source_updates",
    partitions_def=SOURCES,
    group_name="sources",
    owners=["team:knowledge"],
    description=(
        "Reports from other systems that a source has new data. Nothing materializes it here. A report ingests that "
        "source, also when its files are not watched; once ingestion has settled, the index is evaluated and "
        "released.\n\n"
        "    curl -X POST http://127.0.0.1:3000/report_asset_materialization/source_updates \\\n"
        "      -H 'Content-Type: application/json' -d '{\"partition\": \"handbook\"}'\n\n"
        "`metadata` and `description` of a report are kept with it. A report for a source that is not configured "
        "starts nothing."
    ),
)
