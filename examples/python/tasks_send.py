"""Puts tasks into the durable queue "tasks". Start it before or after tasks_receive: nothing is lost either way."""
import pika

from options import URL, read_options, say

options = read_options(count=5)
connection = pika.BlockingConnection(pika.URLParameters(URL))
channel = connection.channel()
# From here on basic_publish returns only when the broker has confirmed the message.
channel.confirm_delivery()

# A durable queue survives a restart of the broker, and so does a persistent message in it.
channel.queue_declare("tasks", durable=True)

for number in range(1, options.count + 1):
    channel.basic_publish(
        exchange="",
        routing_key="tasks",
        body=f"task {number} of {options.count}",
        properties=pika.BasicProperties(
            delivery_mode=pika.DeliveryMode.Persistent,
            content_type="text/plain",
            headers={"number": number, "colour": "red" if number % 2 == 1 else "green", "urgent": number == 1},
        ),
    )
    say(f"sent task {number} of {options.count}")

say("the broker has confirmed all of them")
connection.close()
