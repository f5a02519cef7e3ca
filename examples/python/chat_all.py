"""A chat for all on a fanout exchange: what one says, everybody hears. Type lines; /quit or the end of the input ends
it. Log in with --user and --password, as for chat_rooms. Uses aio-pika."""
import asyncio
import sys
from urllib.parse import quote, urlsplit

import aio_pika

from options import URL, give_up_after, read_options, say

options = read_options(user="guest", password="guest", seconds=300)
give_up_after(options.seconds, "the chat took too long")


def login():
    parts = urlsplit(URL)
    address = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{quote(options.user)}:{quote(options.password)}@{address}").geturl()


async def main():
    connection = await aio_pika.connect(login())
    channel = await connection.channel()
    exchange = await channel.declare_exchange("chat.all", aio_pika.ExchangeType.FANOUT)
    queue = await channel.declare_queue("", exclusive=True)
    await queue.bind(exchange)
    await queue.consume(lambda message: say(f"{message.user_id}: {message.body.decode()}"), no_ack=True)

    say(f"{options.user} is here")
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line.strip() == "/quit":
            break
        await exchange.publish(aio_pika.Message(line.rstrip("\n").encode(), user_id=options.user), routing_key="")
    await connection.close()
    say(f"{options.user} is gone")


asyncio.run(main())
