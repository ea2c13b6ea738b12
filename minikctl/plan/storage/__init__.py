"""Storage that outlives pods: claims, volumes and how the two find one another."""
