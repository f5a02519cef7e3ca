"""Writes log lines to a topic exchange. Their routing keys are words with dots:  python topic_emit.py [KEY TEXT]..."""
import pika

from options import URL, read_options, say

rest = read_options().rest
lines = list(zip(rest[::2], rest[1::2])) or [
    ("notImportant", "the lamp was cleaned"),
    ("kernel.important", "two words only, so *.*.important passes it by"),
    ("kernel.disk.important", "the disk is full"),
    ("shop.web.eu.important", "four words, so *.*.important passes it by"),
    ("shop.web.eu.notImportant", "somebody looked at a shoe"),
    ("shop.till.important", "the drawer is stuck"),
    ("shop.till.notImportant", "the drawer is open again"),
]

connection = pika.BlockingConnection(pika.URLParameters(URL))
channel = connection.channel()
channel.confirm_delivery()
channel.exchange_declare("topic-logs", "topic")

for key, text in lines:
    channel.basic_publish("topic-logs", key, text)
    say(f"wrote {key}: {text}")

connection.close()
