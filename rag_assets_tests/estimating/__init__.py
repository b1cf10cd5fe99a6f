"""Tests of rag_assets.estimating."""
