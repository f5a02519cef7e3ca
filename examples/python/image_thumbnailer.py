"""Makes a picture eight times smaller for every picture that is uploaded. Ends after --count pictures."""
import pika

from options import URL, give_up_after, read_options, say
from picture import shrink

options = read_options(count=1, seconds=30)
give_up_after(options.seconds, f"fewer than {options.count} pictures came")

connection = pika.BlockingConnection(pika.URLParameters(URL))
channel = connection.channel()
channel.exchange_declare("images", "fanout", durable=True)
channel.queue_declare("images.thumbnails", durable=True)
channel.queue_bind("images.thumbnails", "images")
channel.basic_qos(prefetch_count=1)

say("waiting for pictures")
for done, (method, properties, body) in enumerate(channel.consume("images.thumbnails"), start=1):
    thumbnail = shrink(body, 8)
    say(f"made {len(thumbnail)} bytes of {len(body)}")
    result = pika.BasicProperties(type="thumbnail", correlation_id=properties.correlation_id)
    channel.basic_publish("", properties.reply_to, thumbnail, result)
    channel.basic_ack(method.delivery_tag)
    if done == options.count:
        break

connection.close()
