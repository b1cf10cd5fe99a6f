"""Documents: where they come from (`connectors`) and what they say (`parsing`)."""
