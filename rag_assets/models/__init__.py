"""Models behind one wire protocol: clients, prices, token counts, the embedded provider."""
