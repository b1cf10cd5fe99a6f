"""The command line `rag-assets`: one module per noun, and nothing heavy imported before a command needs it."""
