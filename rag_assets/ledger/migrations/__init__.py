"""The ledger's schema, version by version; `Ledger` applies what is missing when it opens.

A new version is a file `versions/NNNN_what_it_does.py` with the next number, written by hand, together with the same
change in `tables.py` and its `SCHEMA_VERSION`. A migration that was released is never edited, and imports nothing from
this package, which will have moved on.
"""
