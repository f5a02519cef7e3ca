"""Looks for faces in every picture that is uploaded (the rule stands in picture.py). Ends after --count pictures."""
import json

import pika

from options import URL, give_up_after, read_options, say
from picture import find_faces

options = read_options(count=1, seconds=30)
give_up_after(options.seconds, f"fewer than {options.count} pictures came")

connection = pika.BlockingConnection(pika.URLParameters(URL))
channel = connection.channel()
channel.exchange_declare("images", "fanout", durable=True)
channel.queue_declare("images.faces", durable=True)
channel.queue_bind("images.faces", "images")
channel.basic_qos(prefetch_count=1)

say("waiting for pictures")
for done, (method, properties, body) in enumerate(channel.consume("images.faces"), start=1):
    faces = find_faces(body)
    say(f"found {len(faces)} faces in {len(body)} bytes")
    result = pika.BasicProperties(type="faces", correlation_id=properties.correlation_id)
    channel.basic_publish("", properties.reply_to, json.dumps(faces), result)
    channel.basic_ack(method.delivery_tag)
    if done == options.count:
        break

connection.close()
