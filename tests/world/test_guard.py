"""Unit tests cannot open sockets; tests that say so can."""

from __future__ import annotations

import socket

import pytest
import pytest_socket


# pytest-socket warns before it raises, and a warning is an error here.
@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_socket__in_a_unit_test__is_refused() -> None:
    with pytest.raises(pytest_socket.SocketBlockedError):
        socket.create_connection(("127.0.0.1", 9))


@pytest.mark.loopback
def test_socket__with_the_loopback_marker__is_allowed() -> None:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
