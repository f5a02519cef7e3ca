"""pika's SelectConnection: its loop runs in a thread, and every call here hands work to it and waits for the callback."""
import threading
import time
from concurrent.futures import Future

import pika

from client import Inbox, Returned
from pika_blocking import from_pika, to_pika


def connect(url):
    opened = Future()
    connection = pika.SelectConnection(
        pika.URLParameters(url),
        on_open_callback=opened.set_result,
        on_open_error_callback=lambda _, error: opened.set_exception(error),
        on_close_callback=lambda connection, _: connection.ioloop.stop(),
    )
    threading.Thread(target=connection.ioloop.start, daemon=True).start()
    opened.result(10)
    return Client(connection)


class Client:
    def __init__(self, connection):
        self.connection = connection
        self.pending = set()
        self.returned = None
        self.unconfirmed = {}
        self.published = 0
        self.on_channel = None
        self.on_channel = self.call(self.open)
        self.call(lambda done: self.on_channel.confirm_delivery(self.on_confirm, callback=done))

    def open(self, done):
        channel = self.connection.channel(on_open_callback=done)
        channel.add_on_close_callback(self.on_close)
        channel.add_on_return_callback(self.on_return)

    def on_close(self, _, reason):
        """The broker closed the channel: whoever waits for an answer gets the reason instead."""
        for future in [*self.pending, *self.unconfirmed.values()]:
            if not future.done():
                future.set_exception(reason)

    def on_return(self, channel, method, properties, body):
        self.returned = Returned(method.reply_code, method.reply_text, body)

    def on_confirm(self, frame):
        last = frame.method.delivery_tag
        confirmed = [tag for tag in self.unconfirmed if tag == last or (frame.method.multiple and tag < last)]
        for tag in confirmed:
            # What was returned must have been returned by now.
            self.unconfirmed.pop(tag).set_result(self.returned)

    def call(self, start):
        """Runs start(callback) in the loop's thread and waits for the callback."""
        future = Future()
        self.pending.add(future)

        def begin():
            try:
                start(lambda result=None: future.done() or future.set_result(result))
            except Exception as error:
                future.set_exception(error)

        self.connection.ioloop.add_callback_threadsafe(begin)
        try:
            return future.result(15)
        finally:
            self.pending.discard(future)

    def declare_queue(self, name, durable=True, exclusive=False, passive=False):
        options = {"durable": durable, "exclusive": exclusive, "passive": passive}
        ok = self.call(lambda done: self.on_channel.queue_declare(name, **options, callback=done)).method
        return ok.queue, ok.message_count, ok.consumer_count

    def delete_queue(self, name):
        self.call(lambda done: self.on_channel.queue_delete(name, callback=done))

    def declare_exchange(self, name, type, durable=True):
        self.call(lambda done: self.on_channel.exchange_declare(name, type, durable=durable, callback=done))

    def delete_exchange(self, name):
        self.call(lambda done: self.on_channel.exchange_delete(name, callback=done))

    def bind(self, queue, exchange, key="", table=None):
        self.call(lambda done: self.on_channel.queue_bind(queue, exchange, key, arguments=table, callback=done))

    def unbind(self, queue, exchange, key):
        self.call(lambda done: self.on_channel.queue_unbind(queue, exchange, key, callback=done))

    def prefetch(self, count):
        self.call(lambda done: self.on_channel.basic_qos(prefetch_count=count, callback=done))

    def publish(self, exchange, key, body, mandatory=False, **properties):
        confirmed = Future()

        def begin(done):
            self.returned = None
            self.published += 1
            self.unconfirmed[self.published] = confirmed
            self.on_channel.basic_publish(exchange, key, body, to_pika(**properties), mandatory=mandatory)
            done()

        self.call(begin)
        return confirmed.result(15)

    def consume(self, queue, no_ack=False):
        inbox = Inbox(self)

        def deliver(channel, method, properties, body):
            message = from_pika(channel, method, properties, body)
            # Settling happens in the loop's thread, as everything else does.
            message.ack, message.requeue = self.later(message.ack), self.later(message.requeue)
            inbox.put(message)

        def begin(done):
            self.on_channel.add_on_cancel_callback(lambda _: setattr(inbox, "cancelled", True))
            inbox.tag = self.on_channel.basic_consume(queue, deliver, auto_ack=no_ack, callback=done)

        self.call(begin)
        return inbox

    def later(self, action):
        return lambda: self.connection.ioloop.add_callback_threadsafe(action)

    def cancel(self, inbox):
        self.call(lambda done: self.on_channel.basic_cancel(inbox.tag, callback=done))

    def get(self, queue):
        def begin(done):
            self.on_channel.add_callback(lambda _: done(None), [pika.spec.Basic.GetEmpty])
            self.on_channel.basic_get(queue, lambda *parts: done(from_pika(*parts)))

        message = self.call(begin)
        if message is not None:
            message.ack, message.requeue = self.later(message.ack), self.later(message.requeue)
        return message

    def channel(self):
        return Client(self.connection)

    def pump(self):
        time.sleep(0.005)

    def close(self):
        self.connection.ioloop.add_callback_threadsafe(
            lambda: None if self.connection.is_closed or self.connection.is_closing else self.connection.close()
        )
        deadline = time.monotonic() + 5
        while not self.connection.is_closed and time.monotonic() < deadline:
            time.sleep(0.005)
