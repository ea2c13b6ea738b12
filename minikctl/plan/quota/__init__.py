"""ResourceQuotas: what objects count for (``usage``), which a quota looks at (``scopes``), and its status."""
