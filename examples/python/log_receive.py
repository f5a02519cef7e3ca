"""Listens to the log through a queue of its own that nobody has to clean up. Ends after --count lines."""
import pika

from options import URL, give_up_after, read_options, say

options = read_options(count=3, seconds=30)
give_up_after(options.seconds, f"fewer than {options.count} log lines came")

connection = pika.BlockingConnection(pika.URLParameters(URL))
channel = connection.channel()
channel.exchange_declare("logs", "fanout")

# An empty name asks the broker to invent one; exclusive means: mine alone, and gone when my connection is gone.
queue = channel.queue_declare("", exclusive=True).method.queue
channel.queue_bind(queue, "logs")

say(f"listening with the queue {queue}")
for seen, (method, properties, body) in enumerate(channel.consume(queue, auto_ack=True), start=1):
    say(f"heard {body.decode()}")
    if seen == options.count:
        break

connection.close()
