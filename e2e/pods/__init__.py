"""What runs in the pods: plain programs that need Python and aiohttp, mounted from a ConfigMap."""
