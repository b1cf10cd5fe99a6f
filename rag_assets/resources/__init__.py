"""The Dagster faces of what the core needs: the project and the providers of models."""
