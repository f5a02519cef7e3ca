"""Plays one scenario with one library:  AMQP_URL=... python scenarios.py LIBRARY SCENARIO
Exits 0 when all came as it should; a failed expectation is a traceback. The names stand in ../scenarios.ts."""
import hashlib
import importlib
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from decimal import Decimal
from urllib.parse import urlsplit

LIBRARIES = {"pika-blocking": "pika_blocking", "pika-select": "pika_select", "aio-pika": "aio_pika_client"}
URL = os.environ["AMQP_URL"]
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


TASKS = [(number, f"task {number}") for number in range(1, 6)]


def send_tasks(client, queue):
    client.declare_queue(queue)
    for number, text in TASKS:
        headers = {"number": number, "colour": "red", "nested": {"deep": [1, "two", True]}}
        client.publish("", queue, text, persistent=True, content_type="text/plain", headers=headers)


def work_through_tasks(client, watcher, inbox, queue):
    """Prefetch 1: with one task in hand the rest stays in the queue, however long the work takes."""
    for number, text in TASKS:
        task = inbox.next()
        same((task.text, task.persistent, task.content_type), (text, True, "text/plain"))
        same(task.headers, {"number": number, "colour": "red", "nested": {"deep": [1, "two", True]}})
        same(watcher.declare_queue(queue, passive=True)[1:], (len(TASKS) - number, 1))
        same(len(inbox.all), number)
        task.ack()
    client.cancel(inbox)
    client.delete_queue(queue)


@scenario
def tasks_sender_first():
    send_tasks(connect(), own("tasks"))
    worker = connect()
    worker.prefetch(1)
    work_through_tasks(worker, connect(), worker.consume(own("tasks")), own("tasks"))


@scenario
def tasks_receiver_first():
    worker, sender = connect(), connect()
    worker.declare_queue(own("tasks"))
    worker.prefetch(1)
    inbox = worker.consume(own("tasks"))
    send_tasks(sender, own("tasks"))
    work_through_tasks(worker, sender, inbox, own("tasks"))


@scenario
def share_evenly():
    anna, ben, sender = connect(), connect(), connect()
    anna.declare_queue(own("shared"))
    inboxes = [anna.consume(own("shared"), no_ack=True), ben.consume(own("shared"), no_ack=True)]
    for number in range(20):
        sender.publish("", own("shared"), str(number))
    for parity, inbox in enumerate(inboxes):
        inbox.take(10)
        same(inbox.texts, [str(number) for number in range(parity, 20, 2)])
    sender.delete_queue(own("shared"))


@scenario
def log_fanout():
    anna, ben, writer = connect(), connect(), connect()
    writer.declare_exchange(own("log"), "fanout", durable=False)
    queues, inboxes = [], []
    for listener in (anna, ben):
        name, *_ = listener.declare_queue("", durable=False, exclusive=True)
        listener.bind(name, own("log"))
        inboxes.append(listener.consume(name, no_ack=True))
        queues.append(name)
    same([name[:8] for name in queues], ["amq.gen-", "amq.gen-"])
    same(len(set(queues)), 2)

    for line in ("one", "two", "three"):
        writer.publish(own("log"), "", line)
    for inbox in inboxes:
        inbox.take(3)
        same(inbox.texts, ["one", "two", "three"])

    # Exclusive: nobody else may even look at it while its owner lives, and it is gone when the owner is.
    refused(writer, "RESOURCE_LOCKED", lambda channel: channel.declare_queue(queues[0], passive=True))
    anna.close()
    ben.close()

    def gone(name):
        refused(writer, "NOT_FOUND", lambda channel: channel.declare_queue(name, passive=True))

    for name in queues:
        gone(name)
    writer.delete_exchange(own("log"))


@scenario
def topic_logs():
    client = connect()
    client.declare_exchange(own("topic"), "topic", durable=False)

    def listen(*patterns):
        name, *_ = client.declare_queue("", durable=False, exclusive=True)
        for pattern in patterns:
            client.bind(name, own("topic"), pattern)
        return client.consume(name, no_ack=True)

    idle, busy = listen("#.notImportant"), listen("*.*.important")
    both = listen("#.notImportant", "*.*.important", "#")
    keys = ["notImportant", "a.notImportant", "a.b.c.d.notImportant", "notImportant.a", "important", "a.important"]
    keys += ["a.b.important", "a.b.c.important", "..important", "a.b.notImportant", "c.d.important"]
    for key in keys:
        client.publish(own("topic"), key, key)
    both.take(len(keys))
    idle.take(4)
    busy.take(3)
    same(idle.texts, ["notImportant", "a.notImportant", "a.b.c.d.notImportant", "a.b.notImportant"])
    same(busy.texts, ["a.b.important", "..important", "c.d.important"])
    same(both.texts, keys)
    client.delete_exchange(own("topic"))


@scenario
def headers_any_all():
    client = connect()
    client.declare_exchange(own("headers"), "headers", durable=False)

    def listen(match):
        name, *_ = client.declare_queue("", durable=False, exclusive=True)
        client.bind(name, own("headers"), table={"x-match": match, "format": "pdf", "pages": 2})
        return client.consume(name, no_ack=True)

    all_of_them, any_of_them = listen("all"), listen("any")
    messages = {
        "neither": {"format": "txt", "pages": 3},
        "format": {"format": "pdf"},
        "pages": {"format": "txt", "pages": 2},
        "none": {},
        "both": {"format": "pdf", "pages": 2, "more": True},
    }
    for body, headers in messages.items():
        client.publish(own("headers"), "", body, headers=headers)
    all_of_them.take(1)
    any_of_them.take(3)
    same(all_of_them.texts, ["both"])
    same(any_of_them.texts, ["format", "pages", "both"])
    client.delete_exchange(own("headers"))


def start_adder():
    def work(client):
        client.delete_queue("rpc_queue")
        client.declare_queue("rpc_queue", durable=False)
        client.prefetch(1)
        inbox = client.consume("rpc_queue")

        def step():
            while inbox.waiting:
                question = inbox.next()
                answer = str(int(question.body) + 1)
                client.publish("", question.reply_to, answer, correlation_id=question.correlation_id)
                question.ack()

        return step

    return in_background(work)


def ask_adder(client, reply_to):
    inbox = client.consume(reply_to, no_ack=True)
    asked = {str(uuid.uuid4()): n for n in (1, 41, 1_000_000)}
    for correlation_id, n in asked.items():
        client.publish("", "rpc_queue", str(n), correlation_id=correlation_id, reply_to=reply_to)
    for answer in inbox.take(len(asked)):
        same(int(answer.body), asked.pop(answer.correlation_id) + 1)
    same(asked, {})


@scenario
def rpc_reply_queue():
    stop = start_adder()
    client = connect()
    name, *_ = client.declare_queue("", durable=False, exclusive=True)
    ask_adder(client, name)
    stop()
    client.delete_queue("rpc_queue")


@scenario
def rpc_direct_reply_to():
    stop = start_adder()
    client = connect()
    ask_adder(client, "amq.rabbitmq.reply-to")
    stop()
    client.delete_queue("rpc_queue")


class Chatter:
    """A person in a chat; the test has made the users alice and bob, with the password "secret"."""

    def __init__(self, user):
        self.user = user
        self.client = connect(user, "secret")
        self.client.declare_exchange(own("rooms"), "direct", durable=False)
        self.queue, *_ = self.client.declare_queue("", durable=False, exclusive=True)
        self.inbox = self.client.consume(self.queue, no_ack=True)

    def join(self, room):
        self.client.bind(self.queue, own("rooms"), room)

    def leave(self, room):
        self.client.unbind(self.queue, own("rooms"), room)

    def say(self, room, text):
        self.client.publish(own("rooms"), room, text, user_id=self.user)

    def hears(self, line):
        message = self.inbox.next()
        same(f"[{message.key}] {message.user_id}: {message.text}", line)


@scenario
def chat_rooms():
    alice, bob = Chatter("alice"), Chatter("bob")
    alice.join("kitchen")
    bob.join("garden")
    alice.say("kitchen", "anybody?")
    alice.hears("[kitchen] alice: anybody?")

    bob.leave("garden")
    bob.join("kitchen")
    alice.say("garden", "and here?")
    bob.say("kitchen", "me")
    alice.hears("[kitchen] bob: me")
    bob.hears("[kitchen] bob: me")

    refusal = "PRECONDITION_FAILED - user_id property set to 'bob' but authenticated user was 'alice'"
    refused(alice.client, refusal, lambda channel: channel.publish(own("rooms"), "kitchen", "I am a fool", user_id="bob"))

    bob.leave("kitchen")
    alice.say("kitchen", "gone?")
    alice.hears("[kitchen] alice: gone?")
    same(bob.inbox.texts, ["me"])
    alice.client.delete_exchange(own("rooms"))


@scenario
def chat_for_all():
    people = [connect() for _ in range(3)]
    inboxes = []
    for person in people:
        person.declare_exchange(own("all"), "fanout", durable=False)
        name, *_ = person.declare_queue("", durable=False, exclusive=True)
        person.bind(name, own("all"))
        inboxes.append(person.consume(name, no_ack=True))
    for number, person in enumerate(people):
        person.publish(own("all"), "ignored", f"hello from {number}", user_id="guest")
    for inbox in inboxes:
        inbox.take(3)
        same(inbox.texts, ["hello from 0", "hello from 1", "hello from 2"])
        same([message.user_id for message in inbox.all], ["guest"] * 3)
    people[0].delete_exchange(own("all"))


@scenario
def image_upload():
    uploader = connect()
    uploader.declare_exchange(own("images"), "fanout")
    reply_to, *_ = uploader.declare_queue("", durable=False, exclusive=True)
    inbox = uploader.consume(reply_to, no_ack=True)

    def hasher(queue):
        def work(client):
            client.declare_queue(queue)
            client.bind(queue, own("images"))
            images = client.consume(queue)

            def step():
                while images.waiting:
                    image = images.next()
                    client.publish("", image.reply_to, f"{queue} {hashlib.sha256(image.body).hexdigest()}")
                    image.ack()

            return step

        return work

    queues = [own("faces"), own("thumbnails")]
    stops = [in_background(hasher(queue)) for queue in queues]
    # More than one frame (the usual frame-max is 128 KiB), and one that fills its last frame to the byte.
    for size in (102_400, 131_064, 131_072, 300_001):
        image = os.urandom(size)
        uploader.publish(
            own("images"), "", image, persistent=True, reply_to=reply_to, content_type="application/octet-stream"
        )
        digest = hashlib.sha256(image).hexdigest()
        same(sorted(answer.text for answer in inbox.take(2)), [f"{queue} {digest}" for queue in queues])
    for stop in stops:
        stop()
    for queue in queues:
        uploader.delete_queue(queue)
    uploader.delete_exchange(own("images"))


@scenario
def killed_consumer():
    sender = connect()
    sender.declare_queue(own("jobs"))
    for body in ("one", "two"):
        sender.publish("", own("jobs"), body, persistent=True)

    victim = subprocess.Popen(
        [sys.executable, __file__, library_name, "victim"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    same(victim.stdout.readline(), "holds one, redelivered False\n")
    victim.send_signal(signal.SIGKILL)
    victim.wait()

    eventually(lambda: sender.declare_queue(own("jobs"), passive=True)[1] == 2)
    inbox = connect().consume(own("jobs"))
    first, second = inbox.take(2)
    same([(message.text, message.redelivered) for message in (first, second)], [("one", True), ("two", False)])
    first.ack()
    second.ack()
    sender.delete_queue(own("jobs"))


def victim():
    """Holds one message until it is killed; a part of killed_consumer."""
    client = connect()
    client.prefetch(1)
    inbox = client.consume(own("jobs"))
    message = inbox.next()
    print(f"holds {message.text}, redelivered {message.redelivered}", flush=True)
    while True:
        client.pump()


@scenario
def mandatory_return():
    client = connect()
    back = client.publish("", own("nobody"), b"lost?", mandatory=True)
    same((back.code, back.text, back.body), (312, "NO_ROUTE", b"lost?"))
    same(client.publish("", own("nobody"), b"dropped"), None)
    name, *_ = client.declare_queue("", durable=False, exclusive=True)
    same(client.publish("", name, b"found", mandatory=True), None)
    same(client.get(name).body, b"found")


@scenario
def publisher_confirms():
    client = connect()
    client.declare_queue(own("confirmed"))
    for number in range(300):
        client.publish("", own("confirmed"), str(number), persistent=number % 2 == 0)
    same(client.declare_queue(own("confirmed"), passive=True)[1], 300)
    client.prefetch(100)
    inbox = client.consume(own("confirmed"))
    for number in range(300):
        message = inbox.next()
        same(message.text, str(number))
        message.ack()
    client.cancel(inbox)
    same(client.get(own("confirmed")), None)
    client.delete_queue(own("confirmed"))


@scenario
def requeue_in_place():
    client = connect()
    client.declare_queue(own("line"))
    for body in ("one", "two", "three"):
        client.publish("", own("line"), body)
    first, second = client.get(own("line")), client.get(own("line"))
    second.requeue()
    first.requeue()
    again = []
    for _ in range(3):
        message = client.get(own("line"))
        again.append((message.text, message.redelivered))
        message.ack()
    same(again, [("one", True), ("two", True), ("three", False)])
    same(client.get(own("line")), None)
    client.delete_queue(own("line"))


@scenario
def channel_error():
    client = connect()
    client.declare_queue(own("steady"))
    missing = own("missing")
    refused(client, f"NOT_FOUND - no queue '{missing}'", lambda channel: channel.declare_queue(missing, passive=True))
    refused(
        client,
        "PRECONDITION_FAILED - inequivalent arg 'durable'",
        lambda channel: channel.declare_queue(own("steady"), durable=False),
    )
    refused(client, f"NOT_FOUND - no exchange '{missing}'", lambda channel: channel.publish(missing, "", b""))
    refused(client, "ACCESS_REFUSED", lambda channel: channel.declare_queue("amq.mine"))
    # The errors closed their channels; this one never noticed.
    client.publish("", own("steady"), "still here")
    same(client.get(own("steady")).text, "still here")
    client.delete_queue(own("steady"))


@scenario
def cancel_notify():
    client, other = connect(), connect()
    client.declare_queue(own("doomed"))
    inbox = client.consume(own("doomed"))
    same(other.declare_queue(own("doomed"))[2], 1)
    other.delete_queue(own("doomed"))
    inbox.wait(lambda: inbox.cancelled)


@scenario
def header_types():
    client = connect()
    name, *_ = client.declare_queue("", durable=False, exclusive=True)
    headers = {
        "text": "grüße, 世界",
        "empty": "",
        "yes": True,
        "no": False,
        "small": 7,
        "negative": -5,
        "large": 2**40,
        # pika sends decimals, but no floats.
        "fraction": 1.5 if library_name == "aio-pika" else Decimal("1.5"),
        "nothing": None,
        "table": {"a": {"b": {"c": "deep"}}},
        "list": [1, "two", [3, False], {"four": 4}],
        "long": "x" * 5000,
    }
    client.publish("", name, b"", headers=headers)
    message = client.get(name)
    same(message.headers, headers)
    same(message.body, b"")


@scenario
def survival_leave():
    client = connect()
    client.declare_exchange(own("lasting"), "direct")
    client.declare_queue(own("survivors"))
    client.bind(own("survivors"), own("lasting"), "key")
    for body in ("one", "two", "three"):
        client.publish(own("lasting"), "key", body, persistent=True, headers={"body": body})
        client.publish(own("lasting"), "key", "transient")


@scenario
def survival_check():
    client = connect()
    messages = client.declare_queue(own("survivors"), passive=True)[1]
    same(messages, 3)  # the persistent three, and no transient one
    for body in ("one", "two", "three"):
        message = client.get(own("survivors"))
        same((message.text, message.headers["body"], message.persistent), (body, body, True))
        message.ack()
    client.publish(own("lasting"), "key", "again")  # the binding is there too
    same(client.get(own("survivors")).text, "again")
    client.delete_queue(own("survivors"))
    client.delete_exchange(own("lasting"))


library_name, name = sys.argv[1:]
library = importlib.import_module(LIBRARIES[library_name])
signal.alarm(60)  # a scenario that hangs is a scenario that failed
if name == "victim":
    victim()
scenarios[name]()
for client in clients:
    try:
        client.close()
    except Exception:
        pass  # some scenarios have closed it already
print("ok")
