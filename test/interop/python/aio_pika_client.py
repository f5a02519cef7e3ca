"""aio-pika: one event loop in a thread serves all clients, and every call here waits for its coroutine."""
import asyncio
import threading
import time

import aio_pika
from aio_pika.exceptions import DeliveryError, QueueEmpty

from client import Inbox, Received, Returned

loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()


def run(coroutine):
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(15)


def connect(url):
    return Client(run(aio_pika.connect(url)))


async def open_channel(connection):
    return await connection.channel(publisher_confirms=True, on_return_raises=True)


class Client:
    def __init__(self, connection):
        self.connection = connection
        self.on_channel = run(open_channel(connection))

    def queue(self, name):
        return run(self.on_channel.get_queue(name, ensure=False))

    def exchange(self, name):
        if name == "":
            return self.on_channel.default_exchange
        return run(self.on_channel.get_exchange(name, ensure=False))

    def declare_queue(self, name, durable=True, exclusive=False, passive=False):
        declare = self.on_channel.declare_queue(name or None, durable=durable, exclusive=exclusive, passive=passive)
        ok = run(declare).declaration_result
        return ok.queue, ok.message_count, ok.consumer_count

    def delete_queue(self, name):
        run(self.on_channel.queue_delete(name))

    def declare_exchange(self, name, type, durable=True):
        run(self.on_channel.declare_exchange(name, type, durable=durable))

    def delete_exchange(self, name):
        run(self.on_channel.exchange_delete(name))

    def bind(self, queue, exchange, key="", table=None):
        run(self.queue(queue).bind(exchange, key, arguments=table))

    def unbind(self, queue, exchange, key):
        run(self.queue(queue).unbind(exchange, key))

    def prefetch(self, count):
        run(self.on_channel.set_qos(prefetch_count=count))

    def publish(self, exchange, key, body, mandatory=False, persistent=False, **properties):
        mode = aio_pika.DeliveryMode.PERSISTENT if persistent else aio_pika.DeliveryMode.NOT_PERSISTENT
        raw = body if isinstance(body, bytes) else body.encode()
        message = aio_pika.Message(raw, delivery_mode=mode, **properties)
        try:
            run(self.exchange(exchange).publish(message, key, mandatory=mandatory))
        except DeliveryError as error:
            back = error.message.delivery
            return Returned(back.reply_code, back.reply_text, error.message.body)
        return None

    def consume(self, queue, no_ack=False):
        inbox = Inbox(self)
        inbox.queue = self.queue(queue)
        inbox.tag = run(inbox.queue.consume(lambda message: inbox.put(received(message)), no_ack=no_ack))
        self.watch_cancel(inbox)
        return inbox

    def watch_cancel(self, inbox):
        """aio-pika takes the broker's basic.cancel silently: it only forgets the consumer."""

        async def watch():
            channel = await self.on_channel.get_underlay_channel()
            while inbox.tag in channel.consumers:
                await asyncio.sleep(0.01)
            inbox.cancelled = True

        asyncio.run_coroutine_threadsafe(watch(), loop)

    def cancel(self, inbox):
        run(inbox.queue.cancel(inbox.tag))

    def get(self, queue):
        try:
            return received(run(self.queue(queue).get()))
        except QueueEmpty:
            return None

    def channel(self):
        return Client(self.connection)

    def pump(self):
        time.sleep(0.005)

    def close(self):
        run(self.connection.close())


def received(message):
    return Received(
        body=message.body,
        key=message.routing_key,
        redelivered=message.redelivered,
        headers=message.headers,
        content_type=message.content_type,
        persistent=message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT,
        correlation_id=message.correlation_id,
        reply_to=message.reply_to,
        user_id=message.user_id,
        ack=lambda: run(message.ack()),
        requeue=lambda: run(message.nack(requeue=True)),
    )
