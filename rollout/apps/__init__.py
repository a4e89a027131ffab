"""The servers: third-party libraries as they come, with an app that echoes and pushes, and knows nothing of a drain."""
