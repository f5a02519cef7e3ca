"""Works through the durable queue "tasks", slowly, one task at a time, and ends after --count of them."""
import time

import pika

from options import URL, fail, give_up_after, read_options, say

options = read_options(count=5, work_ms=50, seconds=30)
give_up_after(options.seconds, f"fewer than {options.count} tasks came")

connection = pika.BlockingConnection(pika.URLParameters(URL))
channel = connection.channel()
channel.queue_declare("tasks", durable=True)

# Prefetch 1: the broker holds the next task back until this one is acknowledged.
channel.basic_qos(prefetch_count=1)

done = 0


def on_task(channel, method, properties, body):
    global done
    number, colour, urgent = (properties.headers[name] for name in ("number", "colour", "urgent"))
    say(f"got {body.decode()} (number {number}, {colour}{', urgent' if urgent else ''})")
    if properties.delivery_mode != 2:
        fail("the task was not persistent")

    time.sleep(options.work_ms / 1000)

    channel.basic_ack(method.delivery_tag)
    done += 1
    if done == options.count:
        channel.stop_consuming()


say("waiting for tasks")
channel.basic_consume("tasks", on_task)
channel.start_consuming()
say(f"did {done} tasks")
connection.close()
