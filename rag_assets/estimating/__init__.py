"""What a run, or a change of settings, would do and cost, before it does it. Nothing is written and no model called.

An estimate makes the comparisons that a run makes (`ingestion.difference`), cuts what is due in memory, and counts:
`estimate.estimate`. What an asset says of its generation is in `generation`, which imports little.
"""
