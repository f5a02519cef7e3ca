"""Subscribes with the package `message-queue` from PyPI (it needs pika 0.12.0: see requirements-message-queue.txt).
Ends after --count messages."""
import json
import threading

from options import give_up_after, read_options, say
from message_queue_login import login

from message_queue import AMQPAdapter, Subscriber  # after message_queue_login, see there

options = read_options(count=3, seconds=30)
give_up_after(options.seconds, f"fewer than {options.count} orders came")

adapter = AMQPAdapter(**login())
adapter.configurate_queue(queue="orders", prefetch_count=1)
subscriber = Subscriber(adapter)
done = 0


def worker(channel, method, properties, body):
    """Runs in a thread of its own; what it returns says whether the message is acknowledged."""
    global done
    order = json.loads(body)
    say(f"got order {order['order']}: {order['what']} ({properties.correlation_id})")
    done += 1
    if done == options.count:
        # The package consumes until somebody presses Ctrl-C. We stop it half a second after the last message, when
        # the acknowledgement that follows this return has gone out.
        threading.Timer(0.5, adapter.connection.add_callback_threadsafe, [channel.stop_consuming]).start()
    return True


say("waiting for orders")
subscriber.consume(worker)
say(f"got {done} orders")
