"""Leaves persistent messages in a durable queue and waits for the broker's promise. Now restart the broker, or kill it
with SIGKILL, start it again, and run survivor_receive."""
import pika

from options import URL, read_options, say

options = read_options(count=3)
connection = pika.BlockingConnection(pika.URLParameters(URL))
channel = connection.channel()
channel.confirm_delivery()
channel.queue_declare("survivors", durable=True)

for number in range(1, options.count + 1):
    properties = pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent, headers={"number": number})
    channel.basic_publish("", "survivors", f"survivor {number}", properties)

say(f"{options.count} messages are safe with the broker")
connection.close()
