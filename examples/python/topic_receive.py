"""Listens to the log lines that match one of its patterns:

    python topic_receive.py '#.notImportant' '*.*.important'

A star stands for one word, a hash for any number of words (also none). Ends after --count lines.
"""
import pika

from options import URL, give_up_after, read_options, say

options = read_options(count=3, seconds=30)
patterns = options.rest or ["#.notImportant"]
give_up_after(options.seconds, f"fewer than {options.count} log lines came")

connection = pika.BlockingConnection(pika.URLParameters(URL))
channel = connection.channel()
channel.exchange_declare("topic-logs", "topic")
queue = channel.queue_declare("", exclusive=True).method.queue
for pattern in patterns:
    channel.queue_bind(queue, "topic-logs", pattern)

say(f"listening for {' and '.join(patterns)}")
for seen, (method, properties, body) in enumerate(channel.consume(queue, auto_ack=True), start=1):
    say(f"heard {method.routing_key}: {body.decode()}")
    if seen == options.count:
        break

connection.close()
