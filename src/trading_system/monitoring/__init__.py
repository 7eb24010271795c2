"""What people and machines see of the daemon: logs, metrics, health, alerts."""
