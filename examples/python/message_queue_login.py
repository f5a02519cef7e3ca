"""What the two message-queue examples need: the parts of the address (the package takes no URL), and one name for its
old pika. Import this before message_queue."""
import collections
import collections.abc
from urllib.parse import unquote, urlsplit

from options import URL

# The package asks for pika 0.12.0, which uses a name that Python dropped in 3.10; everything else in it still works.
if not hasattr(collections, "Callable"):
    collections.Callable = collections.abc.Callable


def login():
    parts = urlsplit(URL)
    return {
        "host": parts.hostname,
        "port": parts.port or 5672,
        "user": unquote(parts.username or "guest"),
        "password": unquote(parts.password or "guest"),
        "vhost": unquote(parts.path[1:]) or "/",
    }
