"""paho-mqtt, which has no list of nodes: the program goes on to the next. What it is told and tells: test/cluster/clients/README.md."""

import json
import sys
import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

WORK = json.loads(sys.argv[1])
NAME = WORK["name"]
LOCK = threading.Lock()
LEDGER = open(WORK["ledger"], "w", buffering=1)


def write(**entry):
    with LOCK:
        LEDGER.write(json.dumps({"t": round(time.time() * 1000), **entry}) + "\n")


class Lasting:
    """A client with a session that is kept; its thread connects to one node after the other."""

    def __init__(self, role, first):
        self.role, self.host = role, first
        self.connected = threading.Event()
        more = {} if WORK["version"] == 5 else {"clean_session": False}
        protocol = mqtt.MQTTv5 if WORK["version"] == 5 else mqtt.MQTTv311
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"{NAME}-{role}", protocol=protocol, **more)
        self.client.username_pw_set("guest", "guest")
        self.client.connect_timeout = 10
        self.client.on_connect = self.on_connect
        self.client.on_disconnect = self.on_disconnect
        threading.Thread(target=self.run, daemon=True).start()

    def on_connect(self, _client, _data, flags, reason, _properties):
        if reason.is_failure:
            write(e="trouble", role=self.role, text=str(reason))
            return
        write(e="connected", role=self.role, present=bool(flags.session_present), text=WORK["hosts"][self.host])
        self.connected.set()

    def on_disconnect(self, _client, _data, flags, reason, _properties):
        self.connected.clear()
        if flags.is_disconnect_packet_from_server:
            write(e="told", role=self.role, reason=reason.value)
        else:
            write(e="trouble", role=self.role, text=str(reason))

    def run(self):
        while True:
            try:
                self.connect()
                while self.client.loop(0.01) == mqtt.MQTT_ERR_SUCCESS:
                    self.work()
            except OSError as error:
                write(e="trouble", role=self.role, text=str(error))
            self.connected.clear()
            self.host = (self.host + 1) % len(WORK["hosts"])
            time.sleep(0.2)

    def work(self):
        """Whatever is to be done between two rounds of the client, on its thread."""

    def connect(self):
        host, port = WORK["hosts"][self.host].split(":")
        more = {}
        if WORK["version"] == 5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 600
            more = {"clean_start": False, "properties": properties}
        self.client.connect(host, int(port), keepalive=30, **more)


class Publisher(Lasting):
    def __init__(self):
        self.last, self.ids, self.due = 0, {}, 0.0
        self.is_going, self.is_stopping, self.is_done = False, False, False
        super().__init__("pub", 0)
        self.client.on_publish = self.on_publish

    def on_publish(self, _client, _data, mid, reason, _properties):
        number = self.ids.pop(mid)
        if reason.is_failure:
            write(e="trouble", role="pub", text=f"{number}: {reason}")
        else:
            write(e="confirmed", p=NAME, id=number)

    def work(self):
        if self.is_stopping:
            if not self.ids and not self.is_done:
                self.is_done = True
                write(e="done")
        elif self.is_going and self.connected.is_set() and len(self.ids) < WORK["window"] and time.time() >= self.due:
            self.due = time.time() + 1 / WORK["rate"]
            self.publish()

    def publish(self):
        self.last += 1
        sent = 1 + self.last % 2
        write(e="published", p=NAME, id=self.last, sent=sent)
        info = self.client.publish(f"failover/{sent}/{NAME}", f"{NAME} {self.last} {sent}", sent)
        self.ids[info.mid] = self.last


def on_message(_client, _data, message):
    publisher, number, sent = message.payload.decode().split(" ")
    write(e="heard", c=NAME, p=publisher, id=int(number), sent=int(sent), qos=message.qos, dup=bool(message.dup))


def main():
    subscriber = Lasting("sub", 0)
    subscriber.client.on_message = on_message
    subscribed = threading.Event()
    subscriber.client.on_subscribe = lambda *_: subscribed.set()
    publisher = Publisher()
    assert subscriber.connected.wait(20) and publisher.connected.wait(20), "not connected"
    # A connection may end before it is answered.
    while not subscribed.is_set():
        subscriber.connected.wait()
        subscriber.client.subscribe([("failover/1/#", 1), ("failover/2/#", 2)])
        subscribed.wait(10)
    print("ready", flush=True)
    for line in map(str.strip, sys.stdin):
        publisher.is_going = publisher.is_going or line == "go"
        publisher.is_stopping = publisher.is_stopping or line == "stop"
        if line == "leave":
            break
    LEDGER.close()


main()
