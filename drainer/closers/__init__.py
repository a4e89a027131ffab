"""The ways to end a connection, one file for each."""
