"""The figures in the README, each measured in one run beside its peers: `python -m bench`."""
