"""What WebSocket clients do when their connection ends, measured: `python -m bench.clients`."""
