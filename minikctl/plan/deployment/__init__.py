"""Deployment: ReplicaSets that replace one another without losing more availability than allowed."""
