"""Questions with answers, and chats."""
import uuid

from stage import connect, in_background, own, refused, same, scenario


def start_adder():
    def work(client):
        client.delete_queue("rpc_queue")
        client.declare_queue("rpc_queue", durable=False)
        client.prefetch(1)
        inbox = client.consume("rpc_queue")

        def step():
            while inbox.waiting:
                question = inbox.next()
                answer = str(int(question.body) + 1)
                client.publish("", question.reply_to, answer, correlation_id=question.correlation_id)
                question.ack()

        return step

    return in_background(work)


def ask_adder(client, reply_to):
    inbox = client.consume(reply_to, no_ack=True)
    asked = {str(uuid.uuid4()): n for n in (1, 41, 1_000_000)}
    for correlation_id, n in asked.items():
        client.publish("", "rpc_queue", str(n), correlation_id=correlation_id, reply_to=reply_to)
    for answer in inbox.take(len(asked)):
        same(int(answer.body), asked.pop(answer.correlation_id) + 1)
    same(asked, {})


@scenario
def rpc_reply_queue():
    stop = start_adder()
    client = connect()
    name, *_ = client.declare_queue("", durable=False, exclusive=True)
    ask_adder(client, name)
    stop()
    client.delete_queue("rpc_queue")


@scenario
def rpc_direct_reply_to():
    stop = start_adder()
    client = connect()
    ask_adder(client, "amq.rabbitmq.reply-to")
    stop()
    client.delete_queue("rpc_queue")


class Chatter:
    """A person in a chat; the test has made the users alice and bob, with the password "secret"."""

    def __init__(self, user):
        self.user = user
        self.client = connect(user, "secret")
        self.client.declare_exchange(own("rooms"), "direct", durable=False)
        self.queue, *_ = self.client.declare_queue("", durable=False, exclusive=True)
        self.inbox = self.client.consume(self.queue, no_ack=True)

    def join(self, room):
        self.client.bind(self.queue, own("rooms"), room)

    def leave(self, room):
        self.client.unbind(self.queue, own("rooms"), room)

    def say(self, room, text):
        self.client.publish(own("rooms"), room, text, user_id=self.user)

    def hears(self, line):
        message = self.inbox.next()
        same(f"[{message.key}] {message.user_id}: {message.text}", line)


@scenario
def chat_rooms():
    alice, bob = Chatter("alice"), Chatter("bob")
    alice.join("kitchen")
    bob.join("garden")
    alice.say("kitchen", "anybody?")
    alice.hears("[kitchen] alice: anybody?")

    bob.leave("garden")
    bob.join("kitchen")
    alice.say("garden", "and here?")
    bob.say("kitchen", "me")
    alice.hears("[kitchen] bob: me")
    bob.hears("[kitchen] bob: me")

    refusal = "PRECONDITION_FAILED - user_id property set to 'bob' but authenticated user was 'alice'"
    refused(alice.client, refusal, lambda channel: channel.publish(own("rooms"), "kitchen", "I am a fool", user_id="bob"))

    bob.leave("kitchen")
    alice.say("kitchen", "gone?")
    alice.hears("[kitchen] alice: gone?")
    same(bob.inbox.texts, ["me"])
    alice.client.delete_exchange(own("rooms"))


@scenario
def chat_for_all():
    people = [connect() for _ in range(3)]
    inboxes = []
    for person in people:
        person.declare_exchange(own("all"), "fanout", durable=False)
        name, *_ = person.declare_queue("", durable=False, exclusive=True)
        person.bind(name, own("all"))
        inboxes.append(person.consume(name, no_ack=True))
    for number, person in enumerate(people):
        person.publish(own("all"), "ignored", f"hello from {number}", user_id="guest")
    for inbox in inboxes:
        inbox.take(3)
        same(inbox.texts, ["hello from 0", "hello from 1", "hello from 2"])
        same([message.user_id for message in inbox.all], ["guest"] * 3)
    people[0].delete_exchange(own("all"))
