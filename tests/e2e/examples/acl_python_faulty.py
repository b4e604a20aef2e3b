"""The example in Python, built with WASI, and with topics that are votes on what goes wrong."""

import os
import socket
import sys
import time

import acl_python
from acl_python import Lifecycle, TopicCheck

rules_vote = acl_python.vote


def vote(username, topic):
    print(f"asked about {topic}")
    if topic == "faulty/raise":
        raise LookupError("no such rule")
    if topic == "faulty/spin":
        while True:
            pass
    if topic == "faulty/exit":
        os._exit(3)
    if topic == "faulty/look":
        look_around()
    return rules_vote(username, topic)


def look_around():
    """Fails unless there is nothing but clocks and random numbers."""
    assert not os.environ and not sys.argv[1:], "variables or arguments"
    assert time.time() > 1.7e9 and time.monotonic() <= time.monotonic(), "a clock that goes"
    assert os.urandom(16) != os.urandom(16), "random numbers"
    for name, touch in {
        "a file": lambda: open("/etc/passwd"),
        "a file to write": lambda: open("here", "w"),
        "a folder": lambda: os.listdir("/"),
        "a socket": lambda: socket.socket().connect(("127.0.0.1", 1883)),
        "a name": lambda: socket.getaddrinfo(b"localhost", 1883),
    }.items():
        try:
            touch()
        except OSError:
            continue
        raise AssertionError(name)


acl_python.vote = vote
