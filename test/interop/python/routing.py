"""Who gets a message: fanout, topics, headers, and nobody at all."""
from stage import connect, own, refused, same, scenario


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


@scenario
def mandatory_return():
    client = connect()
    back = client.publish("", own("nobody"), b"lost?", mandatory=True)
    same((back.code, back.text, back.body), (312, "NO_ROUTE", b"lost?"))
    same(client.publish("", own("nobody"), b"dropped"), None)
    name, *_ = client.declare_queue("", durable=False, exclusive=True)
    same(client.publish("", name, b"found", mandatory=True), None)
    same(client.get(name).body, b"found")
