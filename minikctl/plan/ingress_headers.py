"""Headers of answers that a ConfigMap names: ``custom-headers`` of an Ingress.

As with ingress-nginx nothing is answered while the ConfigMap is not there, or names what is no header; which
ones are allowed is not asked for, as there is no administrator whose list it would be.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from minikctl.model.objects import Key, Object
from minikctl.plan import ingress_secrets
from minikctl.plan.ingress_options import Options
from minikctl.plan.ingress_values import PREFIX

_NAME = re.compile(r"[A-Za-z\d_-]+")
_VALUE = re.compile(r"[^\x00-\x1f\x7f]*")


def read(options: Options, ingress: Object, maps: Mapping[Key, Object]) -> Options:
    """Return the options with the headers of the ConfigMap that they name."""
    if not options.named[1]:
        return options
    key = ingress_secrets.own(options.named, ingress)
    found = maps.get(key)
    data = sorted(((found or {}).get("data") or {}).items())
    wrong = [name for name, text in data if not _NAME.fullmatch(name) or not _VALUE.fullmatch(text)]
    problem = ""
    if found is None:
        problem = f'{PREFIX}custom-headers: ConfigMap "{key[1]}" does not exist'
    elif wrong:
        problem = f'{PREFIX}custom-headers: {", ".join(wrong)} of ConfigMap "{key[1]}" is no header'
    return dataclasses.replace(options, headers=tuple(data), shut=options.shut or problem)
