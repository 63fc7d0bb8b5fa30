"""What W&B gets: the run's logger and its tables."""
