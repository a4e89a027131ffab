"""The few calls to the Kubernetes API: optional, may fail, never on the drain's path."""
