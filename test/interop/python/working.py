"""Queues that share out work, and what happens when it goes wrong."""
import hashlib
import os
import signal
import subprocess
import sys

from stage import connect, eventually, in_background, library_name, own, same, scenario


TASKS = [(number, f"task {number}") for number in range(1, 6)]


def send_tasks(client, queue):
    client.declare_queue(queue)
    for number, text in TASKS:
        headers = {"number": number, "colour": "red", "nested": {"deep": [1, "two", True]}}
        client.publish("", queue, text, persistent=True, content_type="text/plain", headers=headers)


def work_through_tasks(client, watcher, inbox, queue):
    """Prefetch 1: with one task in hand the rest stays in the queue, however long the work takes."""
    for number, text in TASKS:
        task = inbox.next()
        same((task.text, task.persistent, task.content_type), (text, True, "text/plain"))
        same(task.headers, {"number": number, "colour": "red", "nested": {"deep": [1, "two", True]}})
        same(watcher.declare_queue(queue, passive=True)[1:], (len(TASKS) - number, 1))
        same(len(inbox.all), number)
        task.ack()
    client.cancel(inbox)
    client.delete_queue(queue)


@scenario
def tasks_sender_first():
    send_tasks(connect(), own("tasks"))
    worker = connect()
    worker.prefetch(1)
    work_through_tasks(worker, connect(), worker.consume(own("tasks")), own("tasks"))


@scenario
def tasks_receiver_first():
    worker, sender = connect(), connect()
    worker.declare_queue(own("tasks"))
    worker.prefetch(1)
    inbox = worker.consume(own("tasks"))
    send_tasks(sender, own("tasks"))
    work_through_tasks(worker, sender, inbox, own("tasks"))


@scenario
def share_evenly():
    anna, ben, sender = connect(), connect(), connect()
    anna.declare_queue(own("shared"))
    inboxes = [anna.consume(own("shared"), no_ack=True), ben.consume(own("shared"), no_ack=True)]
    for number in range(20):
        sender.publish("", own("shared"), str(number))
    for parity, inbox in enumerate(inboxes):
        inbox.take(10)
        same(inbox.texts, [str(number) for number in range(parity, 20, 2)])
    sender.delete_queue(own("shared"))


@scenario
def killed_consumer():
    sender = connect()
    sender.declare_queue(own("jobs"))
    for body in ("one", "two"):
        sender.publish("", own("jobs"), body, persistent=True)

    victim = subprocess.Popen(
        [sys.executable, sys.argv[0], library_name, "victim"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    same(victim.stdout.readline(), "holds one, redelivered False\n")
    victim.send_signal(signal.SIGKILL)
    victim.wait()

    eventually(lambda: sender.declare_queue(own("jobs"), passive=True)[1] == 2)
    inbox = connect().consume(own("jobs"))
    first, second = inbox.take(2)
    same([(message.text, message.redelivered) for message in (first, second)], [("one", True), ("two", False)])
    first.ack()
    second.ack()
    sender.delete_queue(own("jobs"))


def victim():
    """Holds one message until it is killed; a part of killed_consumer."""
    client = connect()
    client.prefetch(1)
    inbox = client.consume(own("jobs"))
    message = inbox.next()
    print(f"holds {message.text}, redelivered {message.redelivered}", flush=True)
    while True:
        client.pump()


@scenario
def requeue_in_place():
    client = connect()
    client.declare_queue(own("line"))
    for body in ("one", "two", "three"):
        client.publish("", own("line"), body)
    first, second = client.get(own("line")), client.get(own("line"))
    second.requeue()
    first.requeue()
    again = []
    for _ in range(3):
        message = client.get(own("line"))
        again.append((message.text, message.redelivered))
        message.ack()
    same(again, [("one", True), ("two", True), ("three", False)])
    same(client.get(own("line")), None)
    client.delete_queue(own("line"))


@scenario
def publisher_confirms():
    client = connect()
    client.declare_queue(own("confirmed"))
    for number in range(300):
        client.publish("", own("confirmed"), str(number), persistent=number % 2 == 0)
    same(client.declare_queue(own("confirmed"), passive=True)[1], 300)
    client.prefetch(100)
    inbox = client.consume(own("confirmed"))
    for number in range(300):
        message = inbox.next()
        same(message.text, str(number))
        message.ack()
    client.cancel(inbox)
    same(client.get(own("confirmed")), None)
    client.delete_queue(own("confirmed"))


@scenario
def image_upload():
    uploader = connect()
    uploader.declare_exchange(own("images"), "fanout")
    reply_to, *_ = uploader.declare_queue("", durable=False, exclusive=True)
    inbox = uploader.consume(reply_to, no_ack=True)

    def hasher(queue):
        def work(client):
            client.declare_queue(queue)
            client.bind(queue, own("images"))
            images = client.consume(queue)

            def step():
                while images.waiting:
                    image = images.next()
                    client.publish("", image.reply_to, f"{queue} {hashlib.sha256(image.body).hexdigest()}")
                    image.ack()

            return step

        return work

    queues = [own("faces"), own("thumbnails")]
    stops = [in_background(hasher(queue)) for queue in queues]
    # More than one frame (the usual frame-max is 128 KiB), and one that fills its last frame to the byte.
    for size in (102_400, 131_064, 131_072, 300_001):
        image = os.urandom(size)
        uploader.publish(
            own("images"), "", image, persistent=True, reply_to=reply_to, content_type="application/octet-stream"
        )
        digest = hashlib.sha256(image).hexdigest()
        same(sorted(answer.text for answer in inbox.take(2)), [f"{queue} {digest}" for queue in queues])
    for stop in stops:
        stop()
    for queue in queues:
        uploader.delete_queue(queue)
    uploader.delete_exchange(own("images"))
