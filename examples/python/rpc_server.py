"""Adds one to a number, as a service: takes questions from the queue "rpc_queue" and sends each answer where the
question's reply_to says, with the question's correlation_id. Ends after --count questions."""
import pika

from options import URL, give_up_after, read_options, say

options = read_options(count=3, seconds=30)
give_up_after(options.seconds, f"fewer than {options.count} questions came")

connection = pika.BlockingConnection(pika.URLParameters(URL))
channel = connection.channel()
channel.queue_declare("rpc_queue", durable=False, auto_delete=False)
channel.basic_qos(prefetch_count=1)

answered = 0


def on_question(channel, method, properties, body):
    global answered
    n = int(body)
    say(f"asked {n}, answered {n + 1}")
    answer = pika.BasicProperties(correlation_id=properties.correlation_id)
    channel.basic_publish("", properties.reply_to, str(n + 1), answer)
    channel.basic_ack(method.delivery_tag)
    answered += 1
    if answered == options.count:
        channel.stop_consuming()


say("waiting for questions")
channel.basic_consume("rpc_queue", on_question)
channel.start_consuming()
connection.close()
