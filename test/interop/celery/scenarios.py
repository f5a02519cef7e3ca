"""Plays one scenario with celery: AMQP_URL=... python scenarios.py SCENARIO. It starts the workers that it needs, and exits 0 when
all came as it should."""
import os
import signal
import subprocess
import sys
import tempfile
import time

scenarios = {}


def scenario(function):
    scenarios[function.__name__.replace("_", "-")] = function
    return function


def same(found, wanted):
    assert found == wanted, f"wanted {wanted!r}, found {found!r}"


def eventually(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {seconds} s"
        time.sleep(0.05)


class Worker:
    """A process that serves the queue; what it printed is shown when it was asked for and did not come."""

    started = []

    def __init__(self, name="worker"):
        self.log = tempfile.NamedTemporaryFile("w+", suffix=".log")
        # One process without children, so that a kill takes all of it.
        command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "--pool=solo", "-l", "INFO", "-n", f"{name}@interop"]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT, cwd=os.path.dirname(__file__))
        Worker.started.append(self)
        eventually(lambda: self.printed(" ready."), 40)

    def printed(self, text):
        assert self.process.poll() is None, f"the worker ended:\n{self.output()}"
        return text in self.output()

    def output(self):
        with open(self.log.name) as file:
            return file.read()

    def kill9(self):
        self.process.kill()
        self.process.wait()


@scenario
def results():
    """Through reply queues of the back end rpc://: one, a group, a chain."""
    from celery import chain, group
    from tasks import add

    Worker()
    same(add.delay(2, 3).get(timeout=20), 5)
    same(group(add.s(n, n) for n in range(10))().get(timeout=20), [2 * n for n in range(10)])
    same(chain(add.s(1, 2), add.s(10), add.s(100))().get(timeout=20), 113)


@scenario
def countdown():
    """A task for later is kept by the worker, which raises its prefetch meanwhile; others overtake it."""
    from tasks import add, now

    Worker()
    began = time.time()
    later = [now.apply_async(countdown=2) for _ in range(3)]
    same(add.delay(1, 1).get(timeout=20), 2)
    for result in later:
        assert result.get(timeout=20) - began >= 2


@scenario
def retries():
    from tasks import third_time_lucky

    Worker()
    same(third_time_lucky.delay().get(timeout=30), 2)


@scenario
def priorities():
    """What waits when the worker comes is served by priority."""
    from tasks import app, write

    with app.connection_for_write() as connection:
        app.amqp.queues[app.conf.task_default_queue](connection.default_channel).declare()
    with tempfile.NamedTemporaryFile("w+") as file:
        sent = [write.apply_async((file.name, str(priority)), priority=priority) for priority in (1, 9, 5, 0, 5, 9)]
        Worker()
        for result in sent:
            result.get(timeout=20)
        same(file.read(), "995510")


@scenario
def killed_worker():
    """Killed in the middle of a task that is acknowledged late: the next worker gets it again."""
    from tasks import linger

    with tempfile.NamedTemporaryFile("w+") as file:
        first = Worker("first")
        result = linger.delay(file.name)
        eventually(lambda: os.path.getsize(file.name) > 0)
        first.kill9()
        Worker("second")
        same(result.get(timeout=20), True)
        same(file.read(), "first again")


@scenario
def reply_queues_expire():
    """The queue for results is declared to expire, and goes with its reader."""
    import amqp.exceptions
    from tasks import add, app

    Worker()
    same(add.delay(1, 2).get(timeout=20), 3)
    name = app.backend.binding.name
    same(app.backend.binding.expires, 60)
    app.backend.result_consumer.stop()
    app.pool.force_close_all()

    def is_gone():
        try:
            with app.connection_for_read() as connection:
                connection.default_channel.queue_declare(name, passive=True)
            return False
        except amqp.exceptions.NotFound:
            return True

    eventually(is_gone)


@scenario
def remote_control():
    """Workers are asked over a fanout exchange and answer into queues that expire."""
    from tasks import QUEUE, add, app

    Worker()
    same(app.control.ping(timeout=5), [{"worker@interop": {"ok": "pong"}}])
    queues = app.control.inspect(timeout=5).active_queues()["worker@interop"]
    same([queue["name"] for queue in queues], [QUEUE])
    app.control.revoke("nobody")
    same(add.delay(1, 1).get(timeout=20), 2)


@scenario
def quorum():
    """With quorum queues the broker does the waiting: queues that double, whose messages expire from one into the next."""
    from tasks import add, now

    Worker()
    same(add.delay(1, 1).get(timeout=20), 2)
    began = time.time()
    assert now.apply_async(countdown=3).get(timeout=30) - began >= 2.5


@scenario
def kombu():
    """kombu alone: dead letters, expiry, priorities and compression."""
    from kombu import Connection, Consumer, Exchange, Producer, Queue

    with Connection(os.environ["AMQP_URL"]) as connection:
        channel = connection.channel()
        dead = Queue("kombu.dead", Exchange("kombu.dlx", "fanout"), channel=channel)
        arguments = {"x-dead-letter-exchange": "kombu.dlx"}
        work = Queue("kombu.work", Exchange("kombu.work", "direct"), "work", queue_arguments=arguments, max_priority=5, channel=channel)
        for queue in (dead, work):
            queue.declare()
        producer = Producer(channel, work.exchange, "work", serializer="json", compression="zlib")
        producer.publish({"priority": 1}, priority=1, expiration=0.1)
        eventually(lambda: dead.queue_declare(passive=True).message_count == 1)
        for priority in (0, 5):
            producer.publish({"priority": priority}, priority=priority, headers={"mine": [1, {"two": None}]})
        got = []

        def receive(body, message):
            got.append((body["priority"], message.headers.get("x-death", [{}])[0].get("reason")))
            message.ack() if "x-death" in message.headers else message.reject()

        with Consumer(channel, [work], callbacks=[receive], prefetch_count=1):
            for _ in range(2):
                connection.drain_events(timeout=10)
        with Consumer(channel, [dead], callbacks=[receive]):
            for _ in range(3):
                connection.drain_events(timeout=10)
        same(got, [(5, None), (0, None), (1, "expired"), (5, "rejected"), (0, "rejected")])
        for thing in (work, dead, work.exchange, dead.exchange):
            thing.delete() if isinstance(thing, Queue) else thing(channel).delete()


def main():
    signal.alarm(100)  # a scenario that hangs is a scenario that failed
    name = sys.argv[1]
    os.environ["CELERY_KIND"] = {"priorities": "priorities", "quorum": "quorum"}.get(name, name)
    try:
        scenarios[name]()
    except BaseException:
        for worker in Worker.started:
            print(worker.output(), file=sys.stderr)
        raise
    finally:
        for worker in Worker.started:
            worker.kill9()
    print("ok")


main()
