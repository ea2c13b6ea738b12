"""Admission: what the server adds to a write, or refuses, by looking at other objects.

One file per plugin; ``plugins`` lists them in their order, ``chain`` runs them.
"""
