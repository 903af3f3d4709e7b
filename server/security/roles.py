"""Which call needs which role: one table over all services, closed to what is not in it."""

from collections.abc import Mapping

from server.security.callers import Caller, Role
from server.security.errors import PermissionDeniedError, UnguardedMethodError

ROLE_OF_SERVICE: Mapping[str, Role | None] = {
    "nearfield.v1.EmbeddingService": Role.INFERENCE,
    "nearfield.v1.RecommendationService": Role.INFERENCE,
    "nearfield.v1.InfoService": Role.INFERENCE,
    "nearfield.v1.CatalogueService": Role.CATALOGUE,
    "nearfield.v1.AdminService": Role.ADMIN,
    "grpc.reflection.v1.ServerReflection": Role.INFERENCE,
    "grpc.reflection.v1alpha.ServerReflection": Role.INFERENCE,
    "grpc.health.v1.Health": None,
}
"""The role that every call of a service needs; None where it is open to everybody, as balancers
need it. A test holds the table to the services of the contract."""


def role_needed(method: str) -> Role | None:
    """Look up the role that a method needs, or None where everybody may call it.

    `method` is the full name that gRPC gives, for example
    "/nearfield.v1.InfoService/GetServerInfo". Meant for the time of registration.

    Raises:
        UnguardedMethodError: the table has no row for its service.
    """
    service = method.removeprefix("/").partition("/")[0]
    if service not in ROLE_OF_SERVICE:
        raise UnguardedMethodError(method)
    return ROLE_OF_SERVICE[service]


def check_role(caller: Caller, needed: Role | None) -> None:
    """Let a caller pass that has the role.

    Raises:
        PermissionDeniedError: it does not.
    """
    if needed is not None and needed not in caller.roles:
        raise PermissionDeniedError(needed)
