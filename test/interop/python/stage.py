"""What a scenario has at hand. The library under test is the first argument of the program."""
import importlib
import os
import sys
import threading
import time
from urllib.parse import urlsplit

LIBRARIES = {"pika-blocking": "pika_blocking", "pika-select": "pika_select", "aio-pika": "aio_pika_client"}
URL = os.environ["AMQP_URL"]
library_name = sys.argv[1]
library = importlib.import_module(LIBRARIES[library_name])
scenarios = {}
clients = []


def scenario(function):
    scenarios[function.__name__.replace("_", "-")] = function
    return function


def connect(user=None, password=None):
    url = URL
    if user is not None:
        parts = urlsplit(URL)
        url = parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}").geturl()
    client = library.connect(url)
    clients.append(client)
    return client


def own(name):
    return f"{library_name}.{name}"


def same(found, wanted):
    assert found == wanted, f"wanted {wanted!r}, found {found!r}"


def eventually(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within 10 s"
        time.sleep(0.05)


def refused(client, text, attempt):
    """Runs attempt(channel) on a channel of its own, which the broker is expected to close with that text."""
    try:
        attempt(client.channel())
    except Exception as error:
        told = f"{error} {error.args}"
        assert text in told, f'wanted "{text}", found {told!r}'
        return
    raise AssertionError(f'the broker accepted what it should refuse with "{text}"')


def in_background(work):
    """A worker with a connection of its own, in a thread of its own (pika's blocking connections want that)."""
    ready, stopping, failures = threading.Event(), threading.Event(), []

    def run():
        try:
            client = library.connect(URL)
            step = work(client)
            ready.set()
            while not stopping.is_set():
                step()
                client.pump()
            client.close()
        except Exception as error:
            failures.append(error)
            ready.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def stop():
        stopping.set()
        thread.join(10)
        assert not failures, failures

    assert ready.wait(10)
    return stop
