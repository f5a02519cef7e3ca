"""Fetches what survivor_send left, one by one with basic.get. Exits 1 when one of the --count messages is missing."""
import pika

from options import URL, fail, read_options, say

options = read_options(count=3)
connection = pika.BlockingConnection(pika.URLParameters(URL))
channel = connection.channel()
# Passive: it must still be there.
channel.queue_declare("survivors", passive=True)

for number in range(1, options.count + 1):
    method, properties, body = channel.basic_get("survivors")
    if method is None:
        fail(f"message {number} is missing")
    say(f"found {body.decode()}")
    if properties.headers["number"] != number:
        fail("it is not in its place")
    channel.basic_ack(method.delivery_tag)

channel.queue_delete("survivors", if_empty=True)
say(f"all {options.count} survived")
connection.close()
