"""Writes log lines to a fanout exchange: everybody who listens gets a copy, and who is away misses them."""
import pika

from options import URL, read_options, say

options = read_options(count=3)
connection = pika.BlockingConnection(pika.URLParameters(URL))
channel = connection.channel()
channel.confirm_delivery()
channel.exchange_declare("logs", "fanout")

for number in range(1, options.count + 1):
    channel.basic_publish("logs", "", f"log line {number}")
    say(f"wrote log line {number}")

connection.close()
