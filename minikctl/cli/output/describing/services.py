"""Services, their endpoints, and Ingresses."""

from __future__ import annotations

from typing import Any

from minikctl.cli.output.describing import common
from minikctl.cli.output.describing.sheet import Sheet
from minikctl.model import objects

Object = dict[str, Any]

SERVICE_LABEL = "kubernetes.io/service-name"
DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"


def service(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a Service."""
    spec = objects.spec(obj)
    common.head(sheet, obj)
    sheet.row(0, "Selector:", common.plain_selector(spec.get("selector")))
    sheet.row(0, "Type:", spec.get("type", ""))
    _families(sheet, spec)
    _outside(sheet, obj)
    slices = _slices(obj, reader)
    for port in spec.get("ports") or ():
        _port(sheet, port, slices)
    sheet.row(0, "Session Affinity:", spec.get("sessionAffinity", ""))
    for key, title in (
        ("externalTrafficPolicy", "External Traffic Policy"),
        ("internalTrafficPolicy", "Internal Traffic Policy"),
        ("trafficDistribution", "Traffic Distribution"),
    ):
        if spec.get(key):
            sheet.row(0, f"{title}:", spec[key])
    if spec.get("healthCheckNodePort"):
        sheet.row(0, "HealthCheck NodePort:", spec["healthCheckNodePort"])
    if spec.get("loadBalancerSourceRanges"):
        sheet.row(0, "LoadBalancer Source Ranges:", ",".join(spec["loadBalancerSourceRanges"]))
    _mode(sheet, spec, reader)
    _backends(sheet, obj, slices, reader)
    common.events(sheet, obj, reader)


def _mode(sheet: Sheet, spec: Object, reader: common.Reader) -> None:
    """Write who connects in the mode userspace, as this differs from what one expects."""
    from minikctl.plan import proxy_view, userspace

    tcp = any((port.get("protocol") or "TCP") == "TCP" for port in spec.get("ports") or ())
    if not tcp or not proxy_view.cluster_addresses(spec):
        return
    if userspace.is_proxy(reader.one("daemonsets", *userspace.DAEMON_SET) or {}):
        sheet.row(0, "Proxy Mode:", "userspace (TCP): pods see the address of their client's kube-proxy")


def _backends(sheet: Sheet, obj: Object, slices: list[Object], reader: common.Reader) -> None:
    """Write who gets traffic and who does not, and why, unless all are ready: kubectl's lines say that."""
    if not objects.spec(obj).get("selector"):
        return
    from minikctl.plan.why import accounts, links

    namespace = objects.namespace(obj)
    pods, said = reader.listed("pods", namespace), reader.listed("events", namespace)
    found = accounts.of_service(obj, links.View(slices=slices, pods=pods, events=said))
    if all(one.is_in and one.why == accounts.READY for one in found):
        return
    sheet.row(0, "Backends:")
    sheet.row(1, "Pod", "Address", "Traffic", "Why")
    sheet.row(1, "---", "-------", "-------", "---")
    for one in found:
        sheet.row(1, one.title, one.address or "<none>", "in" if one.is_in else "out", one.why)


def _families(sheet: Sheet, spec: Object) -> None:
    if spec.get("ipFamilyPolicy"):
        sheet.row(0, "IP Family Policy:", spec["ipFamilyPolicy"])
    sheet.row(0, "IP Families:", ",".join(spec.get("ipFamilies") or ()) or "<none>")
    sheet.row(0, "IP:", spec.get("clusterIP", ""))
    sheet.row(0, "IPs:", ",".join(spec.get("clusterIPs") or ()) or "<none>")


def _outside(sheet: Sheet, obj: Object) -> None:
    spec = objects.spec(obj)
    if spec.get("externalIPs"):
        sheet.row(0, "External IPs:", ",".join(spec["externalIPs"]))
    if spec.get("loadBalancerIP"):
        sheet.row(0, "Desired LoadBalancer IP:", spec["loadBalancerIP"])
    if spec.get("externalName"):
        sheet.row(0, "External Name:", spec["externalName"])
    addresses = (objects.status(obj).get("loadBalancer") or {}).get("ingress") or ()
    if addresses:
        sheet.row(0, "LoadBalancer Ingress:", ", ".join(_balancer(entry) for entry in addresses))


def _balancer(entry: Object) -> str:
    mode = f" ({entry['ipMode']})" if entry.get("ipMode") else ""
    return f"{entry['ip']}{mode}" if entry.get("ip") else str(entry.get("hostname", ""))


def _port(sheet: Sheet, port: Object, slices: list[Object]) -> None:
    name, protocol = port.get("name") or "<unset>", port.get("protocol", "TCP")
    sheet.row(0, "Port:", name, f"{port['port']}/{protocol}")
    target = port.get("targetPort")
    sheet.row(0, "TargetPort:", f"{target}/{protocol}" if target is not None else f"0/{protocol}")
    if port.get("nodePort"):
        sheet.row(0, "NodePort:", name, f"{port['nodePort']}/{protocol}")
    sheet.row(0, "Endpoints:", _endpoints(slices, port.get("name") or ""))


def _slices(obj: Object, reader: common.Reader) -> list[Object]:
    selector = f"{SERVICE_LABEL}={objects.name(obj)}"
    return reader.listed("endpointslices", objects.namespace(obj), labelSelector=selector)


def _endpoints(slices: list[Object], name: str) -> str:
    """Return the ready addresses of a port: three of them, and how many more there are."""
    if not slices:
        return "<none>"
    found = []
    for entry in slices:
        ports = [port["port"] for port in entry.get("ports") or () if (port.get("name") or "") == name]
        for endpoint in entry.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") is not False:
                found += [f"{address}:{port}" for port in ports for address in endpoint["addresses"]]
    more = f" + {len(found) - 3} more..." if len(found) > 3 else ""
    return ",".join(found[:3]) + more


def endpoints(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write an Endpoints object."""
    common.head(sheet, obj)
    sheet.row(0, "Subsets:")
    for subset in obj.get("subsets") or ():
        for key, title in (("addresses", "Addresses"), ("notReadyAddresses", "NotReadyAddresses")):
            addresses = [entry["ip"] for entry in subset.get(key) or ()]
            sheet.row(1, f"{title}:", ",".join(addresses) or "<none>")
        if subset.get("ports"):
            sheet.row(1, "Ports:")
            _ports(sheet, subset["ports"], 2)
        sheet.row(0, "")
    common.events(sheet, obj, reader)


def _ports(sheet: Sheet, ports: list[Object], level: int) -> None:
    sheet.row(level, "Name", "Port", "Protocol")
    sheet.row(level, "----", "----", "--------")
    for port in ports:
        sheet.row(
            level, port.get("name") or "<unset>", port.get("port", "<unset>"), port.get("protocol", "TCP")
        )


def endpoint_slice(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write an EndpointSlice."""
    common.head(sheet, obj)
    sheet.row(0, "AddressType:", obj.get("addressType", ""))
    if obj.get("ports"):
        sheet.row(0, "Ports:")
        _ports(sheet, obj["ports"], 1)
    else:
        sheet.row(0, "Ports:", "<unset>")
    found = obj.get("endpoints") or ()
    sheet.row(0, "Endpoints:") if found else sheet.row(0, "Endpoints:", "<none>")
    for endpoint in found:
        sheet.row(1, "- Addresses:", ",".join(endpoint.get("addresses") or ()))
        sheet.row(2, "Conditions:")
        ready = (endpoint.get("conditions") or {}).get("ready")
        sheet.row(3, "Ready:", "<unset>" if ready is None else str(ready).lower())
        sheet.row(2, "Hostname:", endpoint.get("hostname") or "<unset>")
        target = endpoint.get("targetRef")
        if target:
            sheet.row(2, "TargetRef:", f"{target.get('kind')}/{target.get('name')}")
        sheet.row(2, "NodeName:", endpoint.get("nodeName") or "<unset>")
        sheet.row(2, "Zone:", endpoint.get("zone") or "<unset>")
    common.events(sheet, obj, reader)


def ingress(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write an Ingress."""
    spec = objects.spec(obj)
    sheet.row(0, "Name:", objects.name(obj))
    common.labels(sheet, "Labels", objects.labels(obj))
    sheet.row(0, "Namespace:", objects.namespace(obj))
    addresses = (objects.status(obj).get("loadBalancer") or {}).get("ingress") or ()
    sheet.row(0, "Address:", ",".join(str(e.get("ip") or e.get("hostname") or "") for e in addresses))
    if spec.get("ingressClassName") is not None:
        sheet.row(0, "Ingress Class:", spec["ingressClassName"])
    else:
        sheet.row(0, "Ingress Class:", "<none>")
    namespace = objects.namespace(obj)
    default = spec.get("defaultBackend") or spec.get("backend")
    sheet.row(0, "Default backend:", _backend(default, namespace, reader) if default else "<default>")
    if spec.get("tls"):
        sheet.row(0, "TLS:")
        for entry in spec["tls"]:
            hosts = ",".join(entry.get("hosts") or ())
            secret = entry.get("secretName")
            sheet.row(1, f"{secret} terminates {hosts}" if secret else f"SNI routes {hosts}")
    _rules(sheet, spec, default, namespace, reader)
    common.notes(sheet, objects.annotations(obj))
    common.events(sheet, obj, reader)


def _rules(sheet: Sheet, spec: Object, default: Object | None, namespace: str, reader: common.Reader) -> None:
    sheet.row(0, "Rules:")
    sheet.row(1, "Host", "Path", "Backends")
    sheet.row(1, "----", "----", "--------")
    count = 0
    for rule in spec.get("rules") or ():
        if not rule.get("http"):
            continue
        count += 1
        sheet.row(1, rule.get("host") or "*", "")
        for path in rule["http"].get("paths") or ():
            place = path.get("path", "")
            sheet.row(2, "", f"{place} ", _backend(path["backend"], namespace, reader))
    if not count:
        sheet.row(1, "*", "*", _backend(default, namespace, reader) if default else "<default>")


def _backend(backend: Object, namespace: str, reader: common.Reader) -> str:
    if backend.get("resource"):
        found = backend["resource"]
        return f"APIGroup: {found.get('apiGroup', '<none>')}, Kind: {found['kind']}, Name: {found['name']}"
    service_ref = backend.get("service") or {}
    name = service_ref.get("name") or backend.get("serviceName", "")
    port = service_ref.get("port") or {}
    number = port.get("number") or port.get("name") or backend.get("servicePort", "")
    return f"{name}:{number} ({_reached(name, number, namespace, reader)})"


def _reached(name: str, number: Any, namespace: str, reader: common.Reader) -> str:
    found = reader.one("services", namespace, name)
    if found is None:
        return f'<error: services "{name}" not found>'
    for port in objects.spec(found).get("ports") or ():
        if number in (port.get("name"), port["port"]):
            return _endpoints(_slices(found, reader), port.get("name") or "")
    return ""


def ingress_class(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write an IngressClass."""
    sheet.row(0, "Name:", objects.name(obj))
    common.marks(sheet, obj)
    sheet.row(0, "Controller:", objects.spec(obj).get("controller", ""))
    parameters = objects.spec(obj).get("parameters")
    if parameters:
        sheet.row(0, "Parameters:")
        for key, title in (("apiGroup", "APIGroup"), ("kind", "Kind"), ("name", "Name")):
            if parameters.get(key):
                sheet.row(1, f"{title}:", parameters[key])
    common.events(sheet, obj, reader)
