"""A consumer is killed (SIGKILL, no goodbye) while it holds an unacknowledged message. The broker notices, puts the
message back, and the next consumer gets it, flagged "redelivered". The program starts its own victim."""
import os
import signal
import subprocess
import sys

import pika

from options import URL, fail, give_up_after, read_options, say

options = read_options(victim=False)
give_up_after(30, "the message did not arrive")

connection = pika.BlockingConnection(pika.URLParameters(URL))
channel = connection.channel()
channel.confirm_delivery()
channel.queue_declare("dangerous-work", durable=True)

if not options.victim:
    channel.queue_purge("dangerous-work")
    channel.basic_publish("", "dangerous-work", "a dangerous job", pika.BasicProperties(delivery_mode=2))
    child = subprocess.run([sys.executable, __file__, "--victim"])
    if child.returncode != -signal.SIGKILL:
        fail("the victim ended in another way")

for method, properties, body in channel.consume("dangerous-work"):
    if options.victim:
        if method.redelivered:
            fail("the victim was not the first to get it")
        say(f"the victim got {body.decode()}, and is killed before it acknowledges")
        os.kill(os.getpid(), signal.SIGKILL)
    say(f"the heir got {body.decode()}, redelivered: {'yes' if method.redelivered else 'no'}")
    if not method.redelivered:
        fail("it should be flagged as redelivered")
    channel.basic_ack(method.delivery_tag)
    break

channel.cancel()
channel.queue_delete("dangerous-work")
connection.close()
