"""Server-side apply and field ownership (``metadata.managedFields``), without a server.

``fieldsets`` are sets of field paths in the wire's own form (FieldsV1).  ``walks`` looks at objects by their
schema: which fields an object has, which differ, two merged, some removed.  ``managers`` reads and writes the
entries of managedFields.  ``ownership`` puts them together: who owns what after an update or an apply.
``migration`` lets ``kubectl apply --server-side`` take over from client-side apply.

The rules are those of Kubernetes' structured-merge-diff (KEP-555) and of its API server's field manager.
"""
