"""A mandatory message that no queue wants comes back to who sent it."""
import pika
from pika.exceptions import UnroutableError

from options import URL, fail, give_up_after, say

give_up_after(30, "the broker did not return the message")

connection = pika.BlockingConnection(pika.URLParameters(URL))
channel = connection.channel()
channel.confirm_delivery()

try:
    channel.basic_publish("", "a-queue-that-nobody-declared", "hello?", mandatory=True)
    fail("the message did not come back")
except UnroutableError as error:
    [back] = error.messages
    say(f"came back: {back.body.decode()} ({back.method.reply_code} {back.method.reply_text}, "
        f"key {back.method.routing_key})")
    if back.method.reply_code != 312:
        fail("312 was expected")
connection.close()
