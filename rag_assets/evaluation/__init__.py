"""Measures release content with golden questions, and judges it before it may serve."""
