"""Custom kinds: from a CustomResourceDefinition to a ``Kind``, and what its schema asks of objects.

``structural`` is the schema as a tree, ``shaping`` prunes and completes objects by it, ``checking`` and
``listing`` judge them, ``rules`` does so in CEL; ``definition`` puts all of it together.
"""
