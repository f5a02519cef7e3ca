"""Writes amqp091-pika.json: methods, properties and tables as pika encodes them, with the values they were made of.

Run with pika 1.3.2 installed: python3 test/vectors/capture-pika.py > test/vectors/amqp091-pika.json
"""
import datetime
import decimal
import inspect
import json
import re
import struct

import pika
from pika import data, frame, spec

CHANNEL = 513

# One value for each argument, by its name in the specification.
VALUES = {
    'version_major': 0, 'version_minor': 9, 'mechanisms': 'PLAIN AMQPLAIN', 'locales': 'en_US',
    'server_properties': {'product': 'x', 'capabilities': {'basic.nack': True}},
    'client_properties': {'product': 'y', 'capabilities': {'publisher_confirms': True, 'off': False}},
    'mechanism': 'PLAIN', 'response': '\0guest\0guest', 'locale': 'en_US', 'challenge': 'who?',
    'channel_max': 2047, 'frame_max': 131072, 'heartbeat': 60, 'virtual_host': '/', 'capabilities': 'c',
    'known_hosts': 'h', 'reply_code': 404, 'reply_text': "NOT_FOUND - no queue 'q' in vhost '/'",
    'class_id': 50, 'method_id': 10, 'reason': 'low on memory', 'new_secret': 'secret', 'out_of_band': 'o',
    'channel_id': 'id', 'realm': '/data', 'ticket': 258, 'exchange': 'amq.topic', 'type': 'topic',
    'destination': 'to', 'source': 'from', 'routing_key': 'a.\u00fc.\u4e2d', 'queue': 'q\U0001f407',
    'message_count': 4294967295, 'consumer_count': 65536, 'prefetch_size': 70000, 'prefetch_count': 300,
    'consumer_tag': 'ctag1.x', 'delivery_tag': 9007199254740991, 'cluster_id': 'cl',
    'arguments': {'x-max-length': 10, 'x-queue-type': 'classic', 'x-match': 'all', 'deep': {'list': [1, 'two', None]}},
}
LONG_STRINGS = {'mechanisms', 'locales', 'response', 'challenge', 'new_secret', 'channel_id'}
NAMES = {'nowait': 'noWait', 'global_qos': 'global'}


def camel(name):
    return NAMES.get(name, re.sub('_([a-z])', lambda m: m.group(1).upper(), name))


def dashed(cls):
    outer, inner = cls.NAME.split('.')
    return outer.lower() + '.' + re.sub('(?<!^)([A-Z])', r'-\1', inner).lower()


def arguments_of(cls):
    return [name for name in inspect.signature(cls.__init__).parameters if name != 'self']


def is_bit(cls, name):
    default = inspect.signature(cls.__init__).parameters[name].default
    return name not in VALUES and (isinstance(default, bool) or default in (None, inspect.Parameter.empty))


def method_vectors():
    for number, cls in sorted(spec.methods.items()):
        names = arguments_of(cls)
        bits = [name for name in names if is_bit(cls, name)]
        for on in [None] + bits:
            values = {name: (name == on if name in bits else VALUES[name]) for name in names}
            wanted = {camel(name): {'$bytes': value.encode().hex()} if name in LONG_STRINGS else value
                      for name, value in values.items()}
            encoded = frame.Method(CHANNEL, cls(**values)).marshal()
            yield {'name': dashed(cls), 'id': number, 'fields': wanted, 'hex': encoded.hex()}


PROPERTIES = {
    'content_type': 'text/plain', 'content_encoding': 'gzip', 'headers': {'CC': ['a', 'b'], 'n': 1, 'deep': {'x': None}},
    'delivery_mode': 2, 'priority': 255, 'correlation_id': 'corr \u00e9', 'reply_to': 'amq.rabbitmq.reply-to',
    'expiration': '60000', 'message_id': 'id-1', 'timestamp': 1700000000, 'type': 'kind', 'user_id': 'guest',
    'app_id': 'app', 'cluster_id': 'cluster',
}


def property_vectors():
    names = list(PROPERTIES)
    subsets = [names, []] + [[name] for name in names] + [names[i:i + 3] for i in range(len(names) - 2)]
    for subset in subsets:
        values = {name: PROPERTIES[name] for name in subset}
        encoded = b''.join(spec.BasicProperties(**values).encode())
        yield {'fields': {camel(name): value for name, value in values.items()}, 'hex': encoded.hex()}


STAMP = 1700000000
TABLES = [
    ({}, {}),
    ({'s': 'text', 'empty': '', 'wide': '\u4e2d\U0001f407'}, None),
    ({'yes': True, 'no': False, 'nothing': None}, None),
    ({'zero': 0, 'one': 1, 'minus': -1, 'max32': 2**31 - 1, 'min32': -2**31}, None),
    ({'over32': 2**31, 'safe': 2**53 - 1}, None),
    ({'under32': -2**31 - 1, 'least': -2**63}, {'under32': -2**31 - 1, 'least': {'$bigint': str(-2**63)}}),
    ({'big': 2**53, 'bigger': 2**63 - 1}, {'big': {'$bigint': str(2**53)}, 'bigger': {'$bigint': str(2**63 - 1)}}),
    ({'bytes': b'\x00\xff\x80'}, {'bytes': {'$bytes': '00ff80'}}),
    ({'price': decimal.Decimal('1.25'), 'int': decimal.Decimal('7')},
     {'price': {'$decimal': [2, 125]}, 'int': {'$decimal': [0, 7]}}),
    ({'at': datetime.datetime(2023, 11, 14, 22, 13, 20, tzinfo=datetime.timezone.utc)}, {'at': {'$timestamp': STAMP}}),
    ({'list': [1, 'a', [2, []], {'k': [None]}, True], 'table': {'t': {'u': {}}}}, None),
    ({'__proto__': 'own', 'constructor': 1, 'hasOwnProperty': None, '1': 'index', '': 'empty key'}, None),
]


def table_vectors():
    for value, wanted in TABLES:
        pieces = []
        data.encode_table(pieces, value)
        encoded = b''.join(pieces)
        assert struct.unpack('>I', encoded[:4])[0] == len(encoded) - 4
        yield {'value': value if wanted is None else wanted, 'hex': encoded[4:].hex()}


print(json.dumps({
    'source': 'pika ' + pika.__version__,
    'channel': CHANNEL,
    'methods': list(method_vectors()),
    'properties': list(property_vectors()),
    'tables': list(table_vectors()),
}, indent=1))
