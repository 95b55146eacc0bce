"""Ports of this machine."""

import contextlib
import socket


def free_addresses(count):
    """Returns so many addresses of this machine that nobody listens to."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]


def check(address):
    """Raises OSError if the port of an address cannot be opened here."""
    port = int(address.rpartition(":")[2])
    with socket.socket() as probe:
        # Not taken is a port that was closed a moment ago.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            raise OSError(
                f"This worker is to listen at {address}, but port {port} of "
                f"this machine cannot be had: {error.strerror}. Another run, "
                "or what an earlier one has left?"
            ) from error
