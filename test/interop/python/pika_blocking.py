import pika
from pika.exceptions import UnroutableError

from client import Inbox, Received, Returned


def connect(url):
    connection = pika.BlockingConnection(pika.URLParameters(url))
    return Client(connection)


class Client:
    def __init__(self, connection):
        self.connection = connection
        self.on_channel = connection.channel()
        self.on_channel.confirm_delivery()

    def declare_queue(self, name, durable=True, exclusive=False, passive=False):
        ok = self.on_channel.queue_declare(name, durable=durable, exclusive=exclusive, passive=passive).method
        return ok.queue, ok.message_count, ok.consumer_count

    def delete_queue(self, name):
        self.on_channel.queue_delete(name)

    def declare_exchange(self, name, type, durable=True):
        self.on_channel.exchange_declare(name, type, durable=durable)

    def delete_exchange(self, name):
        self.on_channel.exchange_delete(name)

    def bind(self, queue, exchange, key="", table=None):
        self.on_channel.queue_bind(queue, exchange, key, arguments=table)

    def unbind(self, queue, exchange, key):
        self.on_channel.queue_unbind(queue, exchange, key)

    def prefetch(self, count):
        self.on_channel.basic_qos(prefetch_count=count)

    def publish(self, exchange, key, body, mandatory=False, **properties):
        try:
            self.on_channel.basic_publish(exchange, key, body, to_pika(**properties), mandatory=mandatory)
        except UnroutableError as error:
            [back] = error.messages
            return Returned(back.method.reply_code, back.method.reply_text, back.body)
        return None

    def consume(self, queue, no_ack=False):
        inbox = Inbox(self)
        self.on_channel.add_on_cancel_callback(lambda _: setattr(inbox, "cancelled", True))
        deliver = lambda channel, method, properties, body: inbox.put(from_pika(channel, method, properties, body))
        inbox.tag = self.on_channel.basic_consume(queue, deliver, auto_ack=no_ack)
        return inbox

    def cancel(self, inbox):
        self.on_channel.basic_cancel(inbox.tag)

    def get(self, queue):
        method, properties, body = self.on_channel.basic_get(queue)
        return None if method is None else from_pika(self.on_channel, method, properties, body)

    def channel(self):
        return Client(self.connection)

    def pump(self):
        self.connection.process_data_events(time_limit=0.05)

    def close(self):
        self.connection.close()


def to_pika(persistent=False, **properties):
    return pika.BasicProperties(delivery_mode=2 if persistent else 1, **properties)


def from_pika(channel, method, properties, body):
    return Received(
        body=body,
        key=method.routing_key,
        redelivered=method.redelivered,
        headers=properties.headers or {},
        content_type=properties.content_type,
        persistent=properties.delivery_mode == 2,
        correlation_id=properties.correlation_id,
        reply_to=properties.reply_to,
        user_id=properties.user_id,
        ack=lambda: channel.basic_ack(method.delivery_tag),
        requeue=lambda: channel.basic_nack(method.delivery_tag, requeue=True),
    )
