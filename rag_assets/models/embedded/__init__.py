"""The embedded provider: an embedding model and an extractive reader behind the OpenAI wire, in this process."""
