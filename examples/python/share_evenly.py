"""Two consumers share one queue, and the broker deals the messages out in turn. Uses aio-pika."""
import asyncio

import aio_pika

from options import URL, fail, give_up_after, read_options, say

options = read_options(count=10, seconds=30)
give_up_after(options.seconds, "the work was not done")
received = {"Anna": 0, "Ben": 0}


async def start_worker(name, all_done):
    connection = await aio_pika.connect(URL)
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=1)
    queue = await channel.declare_queue("shared", durable=True)

    async def on_message(message):
        async with message.process():  # acknowledges at the end, or gives the message back when an exception flies
            received[name] += 1
            say(f"{name} got {message.body.decode()}")
        if sum(received.values()) == options.count:
            all_done.set()

    await queue.consume(on_message)
    return connection


async def main():
    all_done = asyncio.Event()
    workers = [await start_worker("Anna", all_done), await start_worker("Ben", all_done)]

    connection = await aio_pika.connect(URL)
    channel = await connection.channel()
    for number in range(1, options.count + 1):
        # Waiting for each confirm lets both workers keep up, so that the turns are plain to see.
        await channel.default_exchange.publish(aio_pika.Message(f"job {number}".encode()), routing_key="shared")

    await all_done.wait()
    for worker in workers:
        await worker.close()
    await channel.queue_delete("shared")
    await connection.close()

    say(f"Anna did {received['Anna']}, Ben did {received['Ben']}")
    if abs(received["Anna"] - received["Ben"]) > 1:
        fail("they did not share evenly")


asyncio.run(main())
