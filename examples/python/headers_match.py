"""A headers exchange looks at the headers instead of the routing key: one queue wants all of them to match, another is
content with any."""
import pika

from options import URL, fail, give_up_after, say

give_up_after(30, "the messages did not arrive")

DOCUMENTS = [
    ("report.pdf", {"format": "pdf", "type": "report"}, ["all", "any"]),
    ("report.txt", {"format": "txt", "type": "report"}, ["any"]),
    ("song.mp3", {"format": "mp3", "type": "song"}, []),
    ("letter.pdf", {"format": "pdf", "type": "letter", "pages": 2}, ["any"]),
]
expected = sorted(f"{match} {name}" for name, _, goes_to in DOCUMENTS for match in goes_to)
received = []

connection = pika.BlockingConnection(pika.URLParameters(URL))
channel = connection.channel()
channel.exchange_declare("documents", "headers")


def listen(match):
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, "documents", arguments={"x-match": match, "format": "pdf", "type": "report"})

    def on_document(channel, method, properties, body):
        say(f"the queue that wants {match} got {body.decode()}")
        received.append(f"{match} {body.decode()}")
        if len(received) == len(expected):
            channel.stop_consuming()

    channel.basic_consume(queue, on_document, auto_ack=True)


listen("all")
listen("any")
for name, headers, _ in DOCUMENTS:
    channel.basic_publish("documents", "", name, pika.BasicProperties(headers=headers))
channel.start_consuming()
connection.close()

if sorted(received) != expected:
    fail(f"wanted {expected}, got {sorted(received)}")
say("every document went where it belongs")
