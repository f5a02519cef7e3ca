"""Publishes with the package `message-queue` from PyPI (it needs pika 0.12.0: see requirements-message-queue.txt).
Start it before or after message_queue_subscriber: the queue is durable."""
from options import read_options, say
from message_queue_login import login

from message_queue import AMQPAdapter, Message, Publisher  # after message_queue_login, see there

options = read_options(count=3)

adapter = AMQPAdapter(**login())
adapter.configurate_queue(queue="orders")
publisher = Publisher(adapter)

for number in range(1, options.count + 1):
    # The package turns the content into JSON, and makes the message persistent unless told otherwise.
    publisher.publish(Message({"order": number, "what": "tea"}, correlation_id=f"order-{number}"))
    say(f"published order {number}")

adapter.close()
