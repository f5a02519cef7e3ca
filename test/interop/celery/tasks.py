"""The tasks and how they are configured; the worker and the scenarios both load this. CELERY_KIND says which way of working."""
import os
import time

from celery import Celery
from kombu import Queue

KIND = os.environ.get("CELERY_KIND", "plain")
QUEUE = f"celery.{KIND}"

app = Celery("interop", broker=os.environ["AMQP_URL"], backend="rpc://")
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    result_expires=60,
    broker_connection_retry_on_startup=True,
    task_default_queue=QUEUE,
)
if KIND == "priorities":
    app.conf.task_queues = [Queue(QUEUE, routing_key=QUEUE, queue_arguments={"x-max-priority": 10})]
if KIND == "quorum":
    # ETA by the broker then: a ladder of queues whose messages expire into the next, where otherwise the worker keeps them.
    app.conf.update(task_default_queue_type="quorum", task_default_exchange_type="topic", task_default_exchange=QUEUE)


@app.task
def add(x, y):
    return x + y


@app.task
def now():
    return time.time()


@app.task(bind=True, max_retries=3)
def third_time_lucky(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.5)
    return self.request.retries


@app.task
def write(path, text):
    with open(path, "a") as file:
        file.write(text)


@app.task(bind=True)
def linger(self, path):
    """The first to get it hangs until it is killed, whoever gets it again is quick."""
    redelivered = self.request.delivery_info["redelivered"]
    with open(path, "a") as file:
        file.write("again" if redelivered else "first ")
    if not redelivered:
        time.sleep(60)
    return redelivered
