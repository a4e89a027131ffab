"""The kernel's socket table: the only place that knows netlink and /proc."""
