"""leave: publishes a message with everything in it; check: finds the same after a restart. AMQP_URL names the broker."""
import datetime
import decimal
import os
import sys

import pika

HEADERS = {
    "text": "grün",
    "yes": True,
    "small": 7,
    "large": 2**40,
    "decimal": decimal.Decimal("1.25"),
    "bytes": b"\x00\xff",
    "nothing": None,
    "time": datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc),
    "list": [1, "two", [True]],
    "nested": {"deep": {"deeper": "yes"}},
}
PROPERTIES = pika.BasicProperties(
    content_type="application/json", content_encoding="gzip", headers=HEADERS, delivery_mode=2, priority=7,
    correlation_id="c-1", reply_to="answers", expiration="3600000", message_id="m-1", timestamp=1_700_000_000,
    type="order", user_id="guest", app_id="shop",
)

connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
channel = connection.channel()
if sys.argv[1] == "leave":
    channel.confirm_delivery()
    channel.queue_declare("pika", durable=True)
    channel.basic_publish("", "pika", b"body", PROPERTIES, mandatory=True)
else:
    _, properties, body = channel.basic_get("pika", auto_ack=True)
    found = {name: value for name, value in vars(properties).items()}
    wanted = {name: value for name, value in vars(PROPERTIES).items()}
    for each in (found["headers"], wanted["headers"]):
        each["time"] = each["time"].replace(tzinfo=None)
    assert found == wanted, f"wanted {wanted}, found {found}"
    assert body == b"body", body
connection.close()
