"""CEL as Kubernetes speaks it: ``engine`` compiles and runs, the rest is functions.

The language itself is Google's runtime (``cel_expr_python``), loaded when the first expression is compiled.
"""
