"""What the broker refuses, takes away, and must not change; and what outlives it."""
from decimal import Decimal

from stage import connect, library_name, own, refused, same, scenario


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
