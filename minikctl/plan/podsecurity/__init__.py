"""The Pod Security Standards: what pods of the levels "baseline" and "restricted" must not ask for.

Checks and words are those of Kubernetes' k8s.io/pod-security-admission at its latest version.
"""
