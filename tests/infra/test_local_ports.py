"""Which ports a local stack gets."""

import socket
from contextlib import ExitStack

import pytest

from infra.local.ports import DEFAULT_PORTS, REDIS_PORT, PortError, choose_ports
from tests.support.engines import LOOPBACK, free_port


def environment_with(api_port: int | str) -> dict[str, str]:
    return {setting: str(free_port()) for setting in DEFAULT_PORTS} | {"API_PORT": str(api_port)}


def test_a_free_port_is_used_as_asked() -> None:
    asked = free_port()
    with ExitStack() as held:
        port = choose_ports(environment_with(asked), held)["API_PORT"]
    assert (port.asked, port.number) == (asked, asked)


def test_instead_of_a_taken_port_the_next_free_one_is_used() -> None:
    with ExitStack() as held, socket.create_server((LOOPBACK, 0)) as somebody:
        taken = somebody.getsockname()[1]
        port = choose_ports(environment_with(taken), held)["API_PORT"]
    assert port.asked == taken
    assert port.number > taken


def test_a_port_of_a_server_on_all_interfaces_counts_as_taken() -> None:
    with ExitStack() as held, socket.create_server(("", 0)) as somebody:
        taken = somebody.getsockname()[1]
        assert choose_ports(environment_with(taken), held)["API_PORT"].number > taken


def test_two_stacks_that_choose_at_the_same_moment_never_get_the_same_port() -> None:
    environment = environment_with(free_port())
    with ExitStack() as first, ExitStack() as second:
        ours = {port.number for port in choose_ports(environment, first).values()}
        theirs = {port.number for port in choose_ports(environment, second).values()}
    assert ours.isdisjoint(theirs)


def test_a_port_is_free_again_when_the_stack_lets_go_of_it() -> None:
    environment = environment_with(free_port())
    with ExitStack() as first:
        before = choose_ports(environment, first)
    with ExitStack() as second:
        assert choose_ports(environment, second) == before


def test_two_settings_that_ask_for_the_same_port_get_two() -> None:
    same = free_port()
    with ExitStack() as held:
        ports = choose_ports(dict.fromkeys(DEFAULT_PORTS, str(same)), held)
    assert len({port.number for port in ports.values()}) == len(DEFAULT_PORTS)


def test_only_a_stack_that_is_asked_for_redis_has_a_port_for_it() -> None:
    port = free_port()
    with ExitStack() as without, ExitStack() as with_redis:
        assert REDIS_PORT not in choose_ports({"REDIS_PORT": str(port)}, without)
        assert choose_ports({"REDIS_PORT": str(port), "REDIS": "on"}, with_redis)[REDIS_PORT].number == port


@pytest.mark.parametrize("text", ["0", "65536", "http", "-1", "80.5"])
def test_a_setting_that_is_no_port_is_refused_by_name(text: str) -> None:
    with ExitStack() as held, pytest.raises(PortError, match="API_PORT"):
        choose_ports(environment_with(text), held)
