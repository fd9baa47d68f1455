"""A web server on this machine that misbehaves as it is told."""

import pytest
from misbehaving_server import Server


@pytest.fixture
def serve(monkeypatch):
    """serve(body, *words) starts a server; it stops with the test."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    servers = []

    def start(body, *words):
        servers.append(Server(body, words))
        return servers[-1]

    yield start
    for server in servers:
        server.http.shutdown()
        server.http.server_close()
