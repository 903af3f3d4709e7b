import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection

import nearfield.v1
from server.security.callers import Caller, Role
from server.security.errors import PermissionDeniedError, UnguardedMethodError
from server.security.roles import ROLE_OF_SERVICE, check_role, role_needed


def methods() -> Iterator[str]:
    """Every method of the contract."""
    for module in pkgutil.iter_modules(nearfield.v1.__path__, "nearfield.v1."):
        if module.name.endswith("_pb2"):
            file: Any = import_module(module.name)
            for service in file.DESCRIPTOR.services_by_name.values():
                for method in service.methods:
                    yield f"/{service.full_name}/{method.name}"


def test_every_method_of_the_contract_needs_a_role() -> None:
    found = list(methods())
    assert "/nearfield.v1.RecommendationService/BatchRecommend" in found
    assert [method for method in found if role_needed(method) is None] == []


def test_health_alone_is_open() -> None:
    open_to_all = {service for service, role in ROLE_OF_SERVICE.items() if role is None}
    assert open_to_all == {health.SERVICE_NAME}
    needed = role_needed(f"/{reflection.SERVICE_NAME}/ServerReflectionInfo")
    assert needed is Role.INFERENCE


@pytest.mark.parametrize(
    ("method", "role"),
    [
        ("/nearfield.v1.EmbeddingService/EmbedItem", Role.INFERENCE),
        ("/nearfield.v1.InfoService/GetServerInfo", Role.INFERENCE),
        ("/nearfield.v1.CatalogueService/AddItem", Role.CATALOGUE),
        ("/nearfield.v1.AdminService/Activate", Role.ADMIN),
    ],
)
def test_what_a_call_does_decides_which_role_it_needs(method: str, role: Role) -> None:
    assert role_needed(method) is role


@pytest.mark.parametrize(
    "method", ["/nearfield.v1.NewService/Do", "", "/", "/grpc.health.v1.Health2/Check"]
)
def test_method_that_is_not_in_the_table_is_closed(method: str) -> None:
    with pytest.raises(UnguardedMethodError):
        role_needed(method)


@pytest.mark.parametrize("held", Role)
@pytest.mark.parametrize("needed", Role)
def test_no_role_holds_another(held: Role, needed: Role) -> None:
    caller = Caller("shop", frozenset({held}))
    if held is needed:
        check_role(caller, needed)
    else:
        with pytest.raises(PermissionDeniedError, match=f"the role {needed}"):
            check_role(caller, needed)


def test_caller_without_roles_may_do_what_everybody_may() -> None:
    caller = Caller("jwt:ada", frozenset())
    check_role(caller, None)
    with pytest.raises(PermissionDeniedError):
        check_role(caller, Role.INFERENCE)
