"""One suite for the real drivers and the simulated ones."""
