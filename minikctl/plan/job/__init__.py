"""Jobs: pods that run until enough of them have succeeded.

Each pod carries a finalizer until the Job's status has counted it, so that none is counted twice or lost.
A plan either writes what has been found out or, when the status says it already, lets go of the pods: first
the record, then the release.
"""
