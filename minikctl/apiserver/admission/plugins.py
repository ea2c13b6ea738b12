"""The plugins of admission in the order in which they are asked; a further one is a file and a line here."""

from __future__ import annotations

from minikctl.apiserver.admission.certificates import CertificateRequests
from minikctl.apiserver.admission.chain import Plugin
from minikctl.apiserver.admission.escalation import BindingEscalation, RoleEscalation
from minikctl.apiserver.admission.finalizer_warnings import FinalizerWarnings
from minikctl.apiserver.admission.ingress_class import DefaultIngressClass
from minikctl.apiserver.admission.limit_ranger import LimitRanger
from minikctl.apiserver.admission.mutating import MutatingPolicies
from minikctl.apiserver.admission.namespaces import NamespaceLifecycle
from minikctl.apiserver.admission.node_restriction import NodeRestriction
from minikctl.apiserver.admission.object_warnings import ObjectWarnings
from minikctl.apiserver.admission.pod_security import PodSecurity
from minikctl.apiserver.admission.policies import PolicyNotices, ValidatingPolicies
from minikctl.apiserver.admission.priority import Priority
from minikctl.apiserver.admission.quota import ResourceQuota
from minikctl.apiserver.admission.runtime_class import RuntimeClass
from minikctl.apiserver.admission.service_account import ServiceAccount
from minikctl.apiserver.admission.storage_class import DefaultStorageClass
from minikctl.apiserver.admission.tolerations import DefaultTolerationSeconds
from minikctl.apiserver.admission.webhooks import MutatingWebhooks, ValidatingWebhooks
from minikctl.apiserver.admission.world import World
from minikctl.apiserver.rbac import Rbac
from minikctl.apiserver.webhook_client import WebhookClient


def build(world: World, roles: Rbac, client: WebhookClient) -> list[Plugin]:
    """Return all plugins, the order being that of kube-apiserver's own."""
    return [
        NamespaceLifecycle(world),
        ServiceAccount(world),
        LimitRanger(world),
        NodeRestriction(world),
        Priority(world),
        DefaultTolerationSeconds(),
        PodSecurity(world),
        RuntimeClass(world),
        DefaultStorageClass(world),
        DefaultIngressClass(world),
        CertificateRequests(world, roles),
        RoleEscalation(roles),
        BindingEscalation(roles),
        MutatingPolicies(world, roles),
        MutatingWebhooks(world, roles, client),
        ObjectWarnings(),
        FinalizerWarnings(),
        PolicyNotices(),
        ValidatingPolicies(world, roles),
        ValidatingWebhooks(world, roles, client),
        # The last one: what is charged has passed all others.
        ResourceQuota(world),
    ]
