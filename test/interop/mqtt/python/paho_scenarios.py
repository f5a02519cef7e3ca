"""paho-mqtt against the broker at MQTT_PORT: every QoS both ways, a session that waits, a will, a retained message, properties."""

import os
import queue
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

PORT = int(os.environ["MQTT_PORT"])
VERSIONS = {"3.1": mqtt.MQTTv31, "3.1.1": mqtt.MQTTv311, "5": mqtt.MQTTv5}


class Peer:
    """A client that keeps what it hears."""

    def __init__(self, name, protocol, clean=True, will=None):
        more = {} if protocol == mqtt.MQTTv5 else {"clean_session": clean}
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=protocol, **more)
        self.heard = queue.Queue()
        self.happened = queue.Queue()
        self.client.on_message = lambda _c, _u, message: self.heard.put(message)
        self.client.on_subscribe = lambda *_: self.happened.put("subscribed")
        self.client.on_connect = lambda _c, _u, flags, reason, _p: self.happened.put((flags.session_present, reason))
        if will is not None:
            self.client.will_set(*will)
        properties = None
        if protocol == mqtt.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 0 if clean else 100
            self.client.connect("127.0.0.1", PORT, clean_start=clean, properties=properties)
        else:
            self.client.connect("127.0.0.1", PORT)
        self.client.loop_start()
        self.present, reason = self.happened.get(timeout=10)
        assert not reason.is_failure, reason

    def subscribe(self, *args, **more):
        self.client.subscribe(*args, **more)
        self.happened.get(timeout=10)

    def publish(self, *args, **more):
        self.client.publish(*args, **more).wait_for_publish(10)

    def hear(self):
        return self.heard.get(timeout=10)

    def leave(self):
        self.client.disconnect()
        self.client.loop_stop()

    def die(self):
        self.client.loop_stop()
        self.client.socket().close()


def talk(version, protocol):
    topic = f"python/{version}"
    listener, talker = Peer(f"l{version}", protocol), Peer(f"t{version}", protocol)
    listener.subscribe(f"{topic}/#", qos=2)
    for qos in (0, 1, 2):
        talker.publish(f"{topic}/a.b/{qos}", f"qos {qos}", qos)
        message = listener.hear()
        assert (message.topic, message.qos, message.payload) == (f"{topic}/a.b/{qos}", qos, b"qos %d" % qos), message
    talker.publish(f"{topic}/large", b"x" * 1_000_000, 1)
    assert len(listener.hear().payload) == 1_000_000
    listener.leave()
    talker.leave()


def wait(version, protocol):
    topic = f"python/{version}/wait"
    sleeper = Peer(f"s{version}", protocol, clean=False)
    sleeper.subscribe(topic, qos=2)
    sleeper.leave()
    talker = Peer(f"t{version}", protocol)
    for number in range(20):
        talker.publish(topic, str(number), 1 + number % 2)
    talker.leave()
    sleeper = Peer(f"s{version}", protocol, clean=False)
    assert sleeper.present or version == "3.1"
    assert sorted(int(sleeper.hear().payload) for _ in range(20)) == list(range(20))
    sleeper.leave()
    Peer(f"s{version}", protocol).leave()


def will(version, protocol):
    topic = f"python/{version}/will"
    listener = Peer(f"l{version}", protocol)
    listener.subscribe(topic, qos=1)
    Peer(f"d{version}", protocol, will=(topic, "gone", 1, True)).die()
    message = listener.hear()
    assert (message.payload, message.retain) == (b"gone", False)
    late = Peer(f"x{version}", protocol)
    late.subscribe(topic, qos=1)
    message = late.hear()
    assert (message.payload, message.retain) == (b"gone", True)
    late.publish(topic, b"", 1, True)
    late.leave()
    listener.leave()


def properties():
    listener, talker = Peer("l", mqtt.MQTTv5), Peer("t", mqtt.MQTTv5)
    listener.subscribe("python/p", options=SubscribeOptions(qos=1, noLocal=True))
    told = Properties(PacketTypes.PUBLISH)
    told.UserProperty = [("b", "1"), ("a", "2"), ("b", "3")]
    told.ContentType = "text/plain"
    told.ResponseTopic = "answers"
    told.CorrelationData = b"\x00\xff"
    told.MessageExpiryInterval = 50
    talker.publish("python/p", "x", 1, properties=told)
    heard = listener.hear().properties
    assert heard.UserProperty == [("b", "1"), ("a", "2"), ("b", "3")], heard
    assert (heard.ContentType, heard.ResponseTopic, heard.CorrelationData) == ("text/plain", "answers", b"\x00\xff")
    assert 0 < heard.MessageExpiryInterval <= 50
    listener.leave()
    talker.leave()


if __name__ == "__main__":
    for version, protocol in VERSIONS.items():
        for scenario in (talk, wait, will):
            scenario(version, protocol)
    properties()
    print("ok")
    sys.exit(0)
