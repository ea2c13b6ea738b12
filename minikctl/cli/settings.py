"""The flags that every command takes."""

from __future__ import annotations

from minikctl.cli.flags import Options, flag


class Settings(Options):
    """Which cluster is meant, in which namespace, and how much is told."""

    namespace: str = flag(
        "--namespace", "-n", default="", help="The namespace of this request.", complete="namespaces"
    )
    cluster: str = flag(
        "--cluster",
        default="",
        help="The local cluster to use (or $MINIKCTL_CLUSTER).",
        complete="clusters",
    )
    context: str = flag(
        "--context",
        default="",
        help="A context of your kubeconfig: the cluster to talk to instead of the local one.",
        complete="contexts",
    )
    kubeconfig: str = flag("--kubeconfig", default="", help="The kubeconfig file to use.", complete="files")
    server: str = flag("--server", "-s", default="", help="The address of the API server.")
    token: str = flag("--token", default="", help="The bearer token to authenticate with.")
    certificate_authority: str = flag(
        "--certificate-authority",
        default="",
        help="The file of the authority that signed the server's certificate.",
        complete="files",
    )
    client_certificate: str = flag(
        "--client-certificate", default="", help="The file of the client's certificate.", complete="files"
    )
    client_key: str = flag("--client-key", default="", help="The file of the client's key.", complete="files")
    insecure: bool = flag(
        "--insecure-skip-tls-verify", default=False, help="Do not check the server's certificate."
    )
    request_timeout: str = flag(
        "--request-timeout", default="0", help="How long to wait for one answer, such as 5s; 0: for ever."
    )
    verbosity: int = flag(
        "--v",
        "-v",
        default=0,
        help="How much to tell: 6 shows requests, 8 their headers and bodies, 9 traces.",
    )
