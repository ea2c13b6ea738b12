"""Drivers by themselves."""
