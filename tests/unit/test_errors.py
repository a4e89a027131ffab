from __future__ import annotations

import inspect
import pickle

import pytest

from drainer import errors
from drainer.errors import (
    ConfigError,
    DrainerError,
    ManifestError,
    MissingExtraError,
    RefusedError,
    SocketTableError,
    StartError,
    WireError,
)


def test_a_config_error_shows_one_mistake_a_line() -> None:
    error = ConfigError(["a=1: wrong", "b=2: wrong"])
    assert error.mistakes == ("a=1: wrong", "b=2: wrong")
    assert str(error) == "a=1: wrong\nb=2: wrong"


def test_an_error_of_the_socket_table_says_what_failed_and_why() -> None:
    error = SocketTableError("sock_diag dump", errno=1, detail="EPERM")
    assert (error.operation, error.errno, str(error)) == ("sock_diag dump", 1, "sock_diag dump: EPERM")
    assert str(SocketTableError("sock_diag dump")) == "sock_diag dump"


def test_an_error_of_a_manifest_says_where_it_is() -> None:
    assert str(ManifestError("f.yaml", "is wrong")) == "f.yaml: is wrong"
    assert str(ManifestError("f.yaml", "is wrong", line=3)) == "f.yaml:3: is wrong"
    assert str(ManifestError("-", "is wrong", line=3, column=1)) == "-:3:1: is wrong"


def test_a_missing_extra_is_said_with_what_brings_it() -> None:
    assert str(MissingExtraError("commands", "ruamel.yaml")) == (
        "ruamel.yaml is missing; pip install 'drainer[commands]'"
    )


@pytest.mark.parametrize("kind", [RefusedError, WireError])
def test_whoever_handles_errors_of_the_socket_table_handles_their_kinds(kind: type[SocketTableError]) -> None:
    with pytest.raises(SocketTableError, match="dump: EPERM") as raised:
        raise kind("dump", 1, "EPERM")
    assert raised.value.errno == 1


def test_every_error_belongs_to_the_tree_and_the_tree_is_printed_in_the_docstring() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]
    assert len(kinds) > 5
    for kind in kinds:
        assert issubclass(kind, DrainerError)
        assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("error", [SocketTableError("dump", 1, "EPERM"), StartError("port 9808 is taken")], ids=str)
def test_an_error_survives_the_way_between_processes(error: DrainerError) -> None:
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
