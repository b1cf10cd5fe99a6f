"""The Dagster APIs in preview or beta that this project relies on, each behind one door.

They are used because nothing stable does the same: a check that keeps its verdict per partition, and links from
an asset to its source code. Their warnings are silenced here and nowhere else.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg

from rag_assets.assets.partitions import SOURCES


def source_check(
    asset: dg.AssetsDefinition, *, blocking: bool = False
) -> Callable[[Callable[..., dg.AssetCheckResult]], dg.AssetChecksDefinition]:
    """An asset check with a verdict for each source."""

    def decorate(function: Callable[..., dg.AssetCheckResult]) -> dg.AssetChecksDefinition:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.PreviewWarning)
            return dg.asset_check(asset=asset, blocking=blocking, partitions_def=SOURCES)(function)

    return decorate


def with_source_code(assets: Sequence[dg.AssetsDefinition]) -> Sequence[Any]:
    """The assets, each with a link to the lines that define it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.with_source_code_references(assets)
