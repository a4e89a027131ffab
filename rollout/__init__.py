"""A rolling restart on one machine, measured: `python -m rollout` replaces three replicas behind a real balancer."""
