"""A publisher or a consumer with pika's BlockingConnection; see README.md."""
import json
import os
import sys
import threading
import time

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError, NackError, UnroutableError

work = json.loads(sys.argv[1])
ledger = open(work["ledger"], "w", buffering=1 << 16)
stopping = threading.Event()
announced = threading.Event()
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
connections = 0
last_id = 0
# The number of the message without a verdict.
unsettled = None


def note(**entry):
    json.dump({"t": int(time.time() * 1000), **entry}, ledger, separators=(",", ":"))
    ledger.write("\n")


def listen():
    for line in sys.stdin:
        if line.strip() == "stop":
            stopping.set()
        elif line.strip() == "leave":
            # The main thread waits for something that does not come, and writes nothing.
            ledger.close()
            os._exit(0)


def body_of(name, connection, number, queue, size):
    return f"{name} {connection} {number} {queue} {size} ".ljust(size, ".").encode()


def origin_of(body):
    name, connection, number, queue, size = body[:200].decode().split(" ", 5)[:5]
    ok = body_of(name, connection, number, queue, int(size)) == body
    return {"p": name, "ps": int(connection), "id": int(number), "ok": ok}


def announce():
    if not announced.is_set():
        print("ready", flush=True)
    announced.set()


def publish(connection):
    global last_id, unsettled
    channel = connection.channel()
    channel.confirm_delivery()
    announce()
    began, sent = time.monotonic(), 0
    while not stopping.is_set():
        if work["rate"] and sent >= (time.monotonic() - began) * work["rate"]:
            connection.process_data_events(time_limit=0.005)
            continue
        sent += 1
        if unsettled is not None and work["again"]:
            number = unsettled
        else:
            last_id += 1
            number = last_id
        unsettled = number
        every = work["unroutableEvery"]
        nobodys = every > 0 and number % every == 0
        queue = None if nobodys else work["queues"][number % len(work["queues"])]
        key = f"nobody.{work['name']}" if nobodys else queue
        note(e="published", p=work["name"], s=connections, id=number, q=queue)
        body = body_of(work["name"], connections, number, key, work["bytes"])
        priority = number % work["priorities"] if work["priorities"] else None
        properties = pika.BasicProperties(delivery_mode=2, priority=priority)
        try:
            channel.basic_publish("", key, body, properties, mandatory=nobodys)
        except UnroutableError as error:
            for returned in error.messages:
                note(e="returned", p=work["name"], id=origin_of(returned.body)["id"])
            note(e="confirmed", p=work["name"], id=number)
        except NackError:
            note(e="nacked", p=work["name"], id=number)
        else:
            note(e="confirmed", p=work["name"], id=number)
        unsettled = None


def is_resting():
    return work["restSeconds"] > 0 and int(time.time() / work["restSeconds"]) % 2 == 1


def consume(connection):
    channel = connection.channel()
    channel.basic_qos(prefetch_count=work["prefetch"])
    session = connections
    cancelled = []
    held = []

    def on_message(channel, method, _properties, body, queue):
        origin = origin_of(body)
        note(e="delivered", c=work["name"], s=session, q=queue, r=method.redelivered, **origin)
        held.append((method.delivery_tag, origin))
        if not is_resting():
            settle()

    def settle():
        while held:
            tag, origin = held.pop(0)
            channel.basic_ack(tag)
            note(e="acked", c=work["name"], s=session, p=origin["p"], id=origin["id"])

    channel.add_on_cancel_callback(lambda frame: cancelled.append(frame))
    for queue in work["queues"]:
        channel.basic_consume(queue, lambda *args, queue=queue: on_message(*args, queue))
    note(e="attached", text=" ".join(work["queues"]))
    announce()
    while not stopping.is_set() and not cancelled:
        connection.process_data_events(time_limit=0.1)
        if not is_resting():
            settle()
    settle()
    if cancelled:
        note(e="cancelled", text=" ".join(work["queues"]))
        time.sleep(FIRST_PAUSE)


def parameters(address):
    host, port = address.rsplit(":", 1)
    return pika.ConnectionParameters(
        host,
        int(port),
        credentials=pika.PlainCredentials(work["user"], work["password"]),
        heartbeat=work["heartbeat"],
        socket_timeout=3,
        stack_timeout=5,
        blocked_connection_timeout=60,
    )


def main():
    global connections
    threading.Thread(target=listen, daemon=True).start()
    at, pause = work["first"], FIRST_PAUSE
    while not stopping.is_set():
        address = work["hosts"][at % len(work["hosts"])]
        at += 1
        connection = None
        try:
            connection = pika.BlockingConnection(parameters(address))
            connections += 1
            note(e="connected", text=address)
            (publish if work["role"] == "publisher" else consume)(connection)
            pause = FIRST_PAUSE
        # What goes wrong while it connects is none of the library's other errors.
        except (AMQPError, AMQPConnectorException, OSError) as error:
            note(e="trouble", text=f"{address}: {type(error).__name__} {error}")
            stopping.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            try:
                if connection is not None and connection.is_open:
                    connection.close()
            except (AMQPError, OSError):
                pass  # it is lost then
    ledger.close()


main()
