"""Commands for people: each is a module of its own, and none is imported by the agent."""
