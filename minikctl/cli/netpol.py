"""``netpol``: what NetworkPolicies say of a connection, and whether the network agrees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikctl import errors
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag, rest

if TYPE_CHECKING:
    from minikctl.cli.session import Session
    from minikctl.plan.netpol_verdict import Connection, Decision, Verdict


class TraceOptions(Options):
    """What ``netpol trace`` was asked."""

    arguments: tuple[str, ...] = rest("SOURCE TARGET:PORT", default=(), complete="probed")
    protocol: str = flag("--protocol", default="TCP", help="TCP, UDP or SCTP.", complete="TCP UDP SCTP")
    probe: bool = flag("--probe", default=True, help="Prove the verdict by a real packet.")


def trace(options: TraceOptions, session: Session) -> int:
    """Say whether a connection is allowed and why; return 0 if it is, 1 if it is not or the network disagrees."""
    from minikctl.cli import ends
    from minikctl.plan import netpol_verdict

    if len(options.arguments) != 2:
        raise errors.UsageError("error: two arguments are needed: SOURCE and TARGET:PORT")
    protocol = options.protocol.upper()
    if protocol not in ends.PROTOCOLS:
        raise errors.UsageError(f"error: unknown protocol {options.protocol!r}: it is TCP, UDP or SCTP")
    reader = ends.Reader(session, protocol)
    source, goal = reader.source(options.arguments[0]), reader.goal(options.arguments[1])
    world = reader.world()
    connections = reader.connections(source, goal)
    if not connections:
        session.io.say(
            f"{goal.title} has no ready endpoint: connections to it are refused, whatever policies say"
        )
        return 1
    if reader.is_masked(goal):
        session.io.warn(
            f"Warning: connections to {goal.title} are made by kube-proxy (mode userspace), so policies judge its "
            "pod; what follows is the way without it"
        )
    code = 0
    for index, connection in enumerate(connections):
        if index:
            session.io.say("")
        verdict = netpol_verdict.judge(world, connection)
        via = f" (by {goal.title})" if goal.title != str(connection.target) else ""
        session.io.say(f"{source} -> {_shown(connection)}{via}")
        for decision in (verdict.egress, verdict.ingress):
            session.io.say(f"  {_line(decision)}")
        session.io.say(f"  {'verdict':<8} {'allowed' if verdict.allowed else 'denied'}")
        agrees = _proved(connection, verdict, session) if options.probe else True
        code |= not (verdict.allowed and agrees)
    return code


def _shown(connection: Connection) -> str:
    end = connection.target
    address = f" {end.ip}" if end.pod else ""
    return f"{end}{address}:{connection.port}/{connection.protocol}"


def _line(decision: Decision) -> str:
    word = "allowed" if decision.allowed else "denied"
    return f"{decision.direction.lower():<8} {word:<8} {decision.reason}"


def _proved(connection: Connection, verdict: Verdict, session: Session) -> bool:
    """Make the connection, say how it went, and tell whether that fits the verdict."""
    from minikctl.cli import probing

    source, target = connection.source, connection.target
    goal = (target.ip, connection.port, connection.protocol)
    if source.pod is None:
        seen = probing.Seen(f"not tried: {source.ip} is no pod of the cluster")
    elif connection.protocol == "TCP":
        seen = probing.connection(source.pod, goal, session)
    else:
        seen = probing.datagram(source.pod, target.pod, goal, session)
    arrived = seen.arrived
    session.io.say(f"  {'probe':<8} {seen.words}")
    if arrived is None:
        return True
    if arrived == verdict.allowed:
        return True
    if arrived:
        session.io.warn(
            "Warning: the packet arrived although policies deny it: rules may still be on their way"
        )
    else:
        session.io.warn(
            "Warning: nothing answered although policies allow it: the cause is not a NetworkPolicy"
        )
    return False


COMMANDS = {
    "netpol": Command(
        "See what NetworkPolicies allow.",
        usage="COMMAND",
        children={
            "trace": Command(
                "Say whether policies allow a connection, which rule decides, and whether a real one agrees.",
                TraceOptions,
                trace,
                usage="SOURCE TARGET:PORT [--protocol=TCP]",
                examples=(
                    ("From a pod to another", "minikctl netpol trace client web-1:8080"),
                    (
                        "From a Deployment to a Service of another namespace",
                        "minikctl netpol trace deploy/client svc/web:http -n shop",
                    ),
                    ("What an address outside may reach", "minikctl netpol trace 192.0.2.7 shop/web-1:8080"),
                ),
            )
        },
    )
}
