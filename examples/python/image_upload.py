"""Uploads a picture of some 100 KiB; a fanout exchange copies it to a thumbnailer and to a face finder, and both send
their results back. Start the two workers (image_thumbnailer, image_face_finder) before or after this."""
import json

import pika

from options import URL, fail, give_up_after, read_options, say
from picture import draw_picture, read_picture

options = read_options(faces=4, seconds=30)
give_up_after(options.seconds, "a result is missing (are both workers running?)")

connection = pika.BlockingConnection(pika.URLParameters(URL))
channel = connection.channel()
channel.confirm_delivery()
channel.exchange_declare("images", "fanout", durable=True)
for queue in ("images.thumbnails", "images.faces"):
    channel.queue_declare(queue, durable=True)
    channel.queue_bind(queue, "images")
reply_to = channel.queue_declare("", exclusive=True).method.queue

picture = draw_picture(options.faces)
channel.basic_publish(
    "images",
    "",
    picture,
    pika.BasicProperties(
        delivery_mode=pika.DeliveryMode.Persistent,
        content_type="image/x-portable-pixmap",
        reply_to=reply_to,
        correlation_id="picture-1",
    ),
)
say(f"uploaded a picture of {len(picture)} bytes")

results = set()
for method, properties, body in channel.consume(reply_to, auto_ack=True):
    if properties.type == "thumbnail":
        width, height, _ = read_picture(body)
        say(f"the thumbnailer made {width} x {height}, {len(body)} bytes")
        if width != read_picture(picture)[0] // 8:
            fail("the thumbnail has the wrong size")
    else:
        found = json.loads(body)
        say(f"the face finder found {len(found)} faces")
        if len(found) != options.faces:
            fail(f"there are {options.faces}")
    results.add(properties.type)
    if len(results) == 2:
        break

connection.close()
