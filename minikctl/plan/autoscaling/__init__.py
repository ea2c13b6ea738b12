"""HorizontalPodAutoscaler: as many replicas as the pods' use calls for, changed no faster than allowed.

``measuring`` turns what is used into a number of replicas, ``behavior`` slows and limits its change,
``planner`` says on the object what was found and what was done.
"""
