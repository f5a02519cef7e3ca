"""Who gets what first, with pika:  AMQP_URL=... python order.py
Message priorities, consumer priorities, a single active consumer. Exits 0 when all came as it should."""
import os
import signal
import time

import pika

signal.alarm(60)  # what hangs has failed


def connect():
    return pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))


def same(found, expected):
    assert found == expected, f"found {found}, expected {expected}"


def publish(channel, queue, *messages):
    for body, priority in messages:
        properties = pika.BasicProperties(delivery_mode=2, priority=priority)
        channel.basic_publish("", queue, body.encode(), properties)


def collect(channel, queue, log, tag, **options):
    def listen(_channel, method, _properties, body):
        log.append(f"{tag}{body.decode()}{'!' if method.redelivered else ''}")

    channel.basic_consume(queue, listen, consumer_tag=tag, **options)


def until(log, count, *connections):
    """Lets time pass until so much came."""
    deadline = time.monotonic() + 10
    while len(log) < count:
        assert time.monotonic() < deadline, f"only this came: {log}"
        for connection in connections:
            connection.process_data_events(0.05)


def message_priorities():
    connection = connect()
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare("py-ranked", durable=True, arguments={"x-max-priority": 10})
    publish(channel, "py-ranked", ("a", 1), ("b", None), ("c", 9), ("d", 200), ("e", 1))
    method, _, body = channel.basic_get("py-ranked")
    same(body, b"d")
    channel.basic_nack(method.delivery_tag)
    bodies = [channel.basic_get("py-ranked", auto_ack=True)[2].decode() for _ in range(5)]
    same(bodies, ["d", "c", "a", "e", "b"])
    channel.queue_delete("py-ranked")
    connection.close()


def consumer_priorities():
    connection = connect()
    channel = connection.channel()
    channel.basic_qos(prefetch_count=2)
    channel.queue_declare("py-preferring", durable=True)
    log = []
    collect(channel, "py-preferring", log, "low:")
    for tag in ("one:", "two:"):
        collect(channel, "py-preferring", log, tag, arguments={"x-priority": 5})
    publish(channel, "py-preferring", *((str(number), None) for number in range(1, 8)))
    until(log, 6, connection)
    same(log, ["one:1", "two:2", "one:3", "two:4", "low:5", "low:6"])
    channel.queue_delete("py-preferring")
    connection.close()


def single_active_consumer():
    first, second = connect(), connect()
    one, two = first.channel(), second.channel()
    one.basic_qos(prefetch_count=2)
    one.queue_declare("py-alone", durable=True, arguments={"x-single-active-consumer": True})
    log = []
    collect(one, "py-alone", log, "first:")
    collect(two, "py-alone", log, "second:")
    publish(two, "py-alone", ("1", None), ("2", None), ("3", None))
    until(log, 2, first, second)
    same(log, ["first:1", "first:2"])
    first.close()
    until(log, 5, second)
    # pika cancels its consumers before it closes: the next one may be served before the rest comes back.
    same(sorted(log[2:]), ["second:1!", "second:2!", "second:3"])
    assert log.index("second:1!") < log.index("second:2!"), log
    refused = second.channel()
    try:
        refused.basic_consume("py-alone", lambda *_: None, exclusive=True)
        raise AssertionError("an exclusive consumer was taken")
    except pika.exceptions.ChannelClosedByBroker as error:
        same(error.reply_code, 403)
        assert error.reply_text.startswith("ACCESS_REFUSED - queue 'py-alone' in vhost"), error.reply_text
        assert error.reply_text.endswith("in exclusive use"), error.reply_text
    two.queue_delete("py-alone")
    second.close()


message_priorities()
consumer_priorities()
single_active_consumer()
print("ok")
