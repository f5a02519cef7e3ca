"""What the scenarios ask of a client library: one connection with one channel in confirm mode, all calls blocking."""
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Callable, Optional


@dataclass
class Received:
    body: bytes
    key: str
    redelivered: bool
    headers: dict = field(default_factory=dict)
    content_type: Optional[str] = None
    persistent: bool = False
    correlation_id: Optional[str] = None
    reply_to: Optional[str] = None
    user_id: Optional[str] = None
    ack: Callable[[], Any] = lambda: None
    requeue: Callable[[], Any] = lambda: None

    @property
    def text(self):
        return self.body.decode()


@dataclass
class Returned:
    code: int
    text: str
    body: bytes


class Inbox:
    """Collects what a consumer gets, so that a scenario can ask for it one by one."""

    def __init__(self, client):
        self.client = client
        self.all = []
        self.waiting = deque()
        self.cancelled = False
        self.tag = None

    def put(self, message):
        self.all.append(message)
        self.waiting.append(message)

    @property
    def texts(self):
        return [message.text for message in self.all]

    def next(self):
        self.wait(lambda: self.waiting)
        return self.waiting.popleft()

    def take(self, count):
        return [self.next() for _ in range(count)]

    def wait(self, condition):
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, f"it did not come within 10 s; until now: {self.texts}"
            self.client.pump()


# The methods of a Client:
#   declare_queue(name, durable=True, exclusive=False, passive=False) -> (name, messages, consumers)
#   delete_queue(name)   declare_exchange(name, type, durable=True)   delete_exchange(name)
#   bind(queue, exchange, key="", table=None)   unbind(queue, exchange, key)   prefetch(count)
#   publish(exchange, key, body, mandatory=False, persistent=False, headers=None, content_type=None,
#           correlation_id=None, reply_to=None, user_id=None) -> Returned or None; returns when the broker has confirmed
#   consume(queue, no_ack=False) -> Inbox   cancel(inbox)   get(queue) -> Received or None
#   channel() -> another Client on the same connection   pump() lets a little time pass   close()
