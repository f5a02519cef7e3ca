"""Asks the service behind "rpc_queue" for n + 1:

    python rpc_client.py [--direct] NUMBER...

Answers come to a reply queue of our own, or, with --direct, through direct reply-to: the pseudo-queue
"amq.rabbitmq.reply-to", for which the broker creates nothing at all.
"""
import uuid

import pika

from options import URL, fail, give_up_after, read_options, say

options = read_options(direct=False, seconds=30)
numbers = [int(word) for word in options.rest] or [1, 41, 99]
give_up_after(options.seconds, "an answer is missing (is rpc_server running?)")

connection = pika.BlockingConnection(pika.URLParameters(URL))
channel = connection.channel()
# Declared on both sides, so that client and server may start in either order.
channel.queue_declare("rpc_queue", durable=False, auto_delete=False)
if options.direct:
    reply_to = "amq.rabbitmq.reply-to"
else:
    reply_to = channel.queue_declare("", exclusive=True).method.queue

answers = {}


def on_answer(channel, method, properties, body):
    answers[properties.correlation_id] = int(body)


channel.basic_consume(reply_to, on_answer, auto_ack=True)


def ask(n):
    correlation_id = str(uuid.uuid4())
    question = pika.BasicProperties(reply_to=reply_to, correlation_id=correlation_id)
    channel.basic_publish("", "rpc_queue", str(n), question)
    while correlation_id not in answers:
        connection.process_data_events(time_limit=1)
    return answers.pop(correlation_id)


for n in numbers:
    answer = ask(n)
    say(f"{n} + 1 = {answer}")
    if answer != n + 1:
        fail("the answer is wrong")
if answers:
    fail("an answer came to a question that nobody asked")
connection.close()
