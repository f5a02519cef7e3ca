"""A chat with rooms on a direct exchange. Type a line to say it in your room, or:

    /join ROOM    hear a room, and speak in it        /leave ROOM   hear it no longer
    /switch ROOM  leave the present room for another  /quit         go home (so does the end of the input)
    /pretend NAME TEXT   try to speak in somebody else's name (the broker does not let you)

Log in with --user and --password (a user of the broker). The name beside each line can be trusted, because the broker
checks the user-id of a message against the login of who publishes it. Uses aio-pika, as typing and hearing go on at the
same time.
"""
import asyncio
import sys
from urllib.parse import quote, urlsplit

import aio_pika
from aio_pika.exceptions import ChannelPreconditionFailed

from options import URL, fail, give_up_after, read_options, say

options = read_options(user="guest", password="guest", seconds=300)
give_up_after(options.seconds, "the chat took too long")


def login():
    parts = urlsplit(URL)
    address = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{quote(options.user)}:{quote(options.password)}@{address}").geturl()


def hear(message):
    say(f"[{message.routing_key}] {message.user_id}: {message.body.decode()}")


class Chat:
    def __init__(self, connection, exchange, queue):
        self.connection, self.exchange, self.queue = connection, exchange, queue
        self.room = None

    async def speak(self, text):
        if self.room is None:
            return say("you are in no room")
        await self.exchange.publish(aio_pika.Message(text.encode(), user_id=options.user), self.room, mandatory=False)

    async def join(self, room):
        await self.queue.bind(self.exchange, room)
        self.room = room
        say(f"{options.user} joined {room}")

    async def leave(self, room=None):
        room = room or self.room
        if room is None:
            return say("you are in no room")
        await self.queue.unbind(self.exchange, room)
        if room == self.room:
            self.room = None
        say(f"{options.user} left {room}")

    async def switch(self, room):
        if self.room is not None:
            await self.leave()
        await self.join(room)

    async def pretend(self, name, *words):
        # A channel of its own, because the broker closes the channel on which somebody lies.
        liar = await self.connection.channel()
        exchange = await liar.get_exchange("chat.rooms")
        try:
            await exchange.publish(aio_pika.Message(" ".join(words).encode(), user_id=name), self.room or "lobby")
        except ChannelPreconditionFailed as refusal:
            return say(f"the broker refused: {refusal}")
        fail(f"the broker let {options.user} speak as {name}")


async def main():
    connection = await aio_pika.connect(login())
    channel = await connection.channel()
    exchange = await channel.declare_exchange("chat.rooms", aio_pika.ExchangeType.DIRECT)
    queue = await channel.declare_queue("", exclusive=True)
    await queue.consume(hear, no_ack=True)
    chat = Chat(connection, exchange, queue)
    commands = {"join": chat.join, "leave": chat.leave, "switch": chat.switch, "pretend": chat.pretend}

    say(f"{options.user} is here")
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        line = line.rstrip("\n")
        if line == "/quit":
            break
        if not line.startswith("/"):
            await chat.speak(line)
        else:
            command, *words = line[1:].split(" ")
            if command in commands:
                await commands[command](*words)
            else:
                say(f"unknown: /{command}")
    await connection.close()
    say(f"{options.user} is gone")


asyncio.run(main())
