"""The flags that every command takes."""

from __future__ import annotations

from minikctl.cli.flags import Options, flag


class Settings(Options):
    """Which cluster is meant, in which namespace, and how much is told."""

    namespace: str = flag(
        "--namespace",
        "-n",
        default="",
        help="The namespace of this request; several, with commas between, for get, describe, events, logs -l and delete.",
        complete="namespaces",
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
    user: str = flag("--user", default="", help="The user entry of the kubeconfig to use.", complete="users")
    username: str = flag("--username", default="", help="The name for basic authentication.")
    password: str = flag("--password", default="", help="The password for basic authentication.")
    as_user: str = flag(
        "--as", default="", help="Whom to act as: a user, or system:serviceaccount:NAMESPACE:NAME."
    )
    as_groups: tuple[str, ...] = flag(
        "--as-group", default=(), help="A group to act as a member of; may repeat."
    )
    as_uid: str = flag("--as-uid", default="", help="The UID to act with.")
    as_extra: tuple[str, ...] = flag(
        "--as-user-extra", default=(), help="KEY=VALUE of the user to act as; may repeat."
    )
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
    server_name: str = flag(
        "--tls-server-name", default="", help="The name that the server's certificate is to have."
    )
    cache_directory: str = flag(
        "--cache-dir", default="", help="Where it is kept what servers serve.", complete="files"
    )
    preferences: str = flag(
        "--kuberc",
        default="",
        help="The file of preferences: aliases, and defaults of flags. KUBERC=off turns it off.",
        complete="files",
    )
    match_version: bool = flag(
        "--match-server-version", default=False, help="Refuse a server of another version."
    )
    strict_warnings: bool = flag(
        "--warnings-as-errors", default=False, help="End with code 1 when the server warned."
    )
    request_timeout: str = flag(
        "--request-timeout", default="0", help="How long to wait for one answer, such as 5s; 0: for ever."
    )
    verbosity: int = flag(
        "--v",
        "-v",
        default=0,
        help="How much to tell: 6 shows requests, 7 their headers, 8 their bodies, 9 traces.",
    )
