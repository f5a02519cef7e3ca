"""Looks whether a queue is there, without creating it:  python queue_look.py NAME"""
import pika
from pika.exceptions import ChannelClosedByBroker

from options import URL, fail, read_options, say

names = read_options().rest
if len(names) != 1:
    fail("say which queue")

connection = pika.BlockingConnection(pika.URLParameters(URL))
channel = connection.channel()
try:
    # A passive declare of what is not there closes the channel (and only the channel) with 404.
    found = channel.queue_declare(names[0], passive=True).method
    say(f"queue {found.queue}: {found.message_count} messages, {found.consumer_count} consumers")
except ChannelClosedByBroker as error:
    if error.reply_code != 404:
        raise
    say(f"there is no queue {names[0]}")
connection.close()
