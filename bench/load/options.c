#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "usage: load [options]            drive an AMQP 0-9-1 broker and measure it\n"
    "       load --sink PORT [...]    be a peer that swallows publishes and floods consumers\n"
    "\n"
    "  --host A --port N             broker (127.0.0.1, 5672)     --user U --password P --vhost V   (guest guest /)\n"
    "  --size BYTES                  body; from 16 on it carries time and sequence number (16)\n"
    "  --producers N --consumers N --queues N    connections and queues (1 1 1); N:th to N:th, wrapping around\n"
    "  --exchange KIND               default | direct | topic | fanout | unbound (default)\n"
    "  --confirm WINDOW              publisher confirms, at most WINDOW unconfirmed per producer (0 = none)\n"
    "  --prefetch N                  manual acknowledgement with this prefetch (0 = auto-ack)\n"
    "  --ack-every N                 acknowledge every N:th delivery, with multiple (1 = each)\n"
    "  --persistent --durable        delivery mode 2; durable exchange and queues\n"
    "  --quorum                      queues of the type quorum, which are durable\n"
    "  --rate N                      messages per second of all producers together (0 = flat out)\n"
    "  --spin                        with --rate: poll instead of sleeping, exact to the microsecond, costs a core\n"
    "  --seconds S --warmup S        measured window, and what runs before it (5 1)\n"
    "  --backlog-only                publish only, no consumers\n"
    "  --backlog N                   publish N messages, hold them --seconds, then consume them; --warmup 0: no trial before\n"
    "  --keep NAME                   with --backlog: the queue is called NAME, and neither consumed nor deleted\n"
    "  --home-port N --consumer-port N   the nodes at which queues are declared, and consumed from (--port)\n"
    "  --declare N                   declare N queues, durable ones with --durable, and delete them again\n"
    "  --connections N               with --declare: over so many connections, each one queue after the other (64)\n"
    "  --ports N,N,...               with --declare: spread over these nodes (--port)\n"
    "  --bind                        with --declare: server-named queues, bound and consumed from, each sent a message in the end\n"
    "  --connections-idle N          open N connections, hold them --seconds, print the broker's RSS for each\n"
    "  --broker-pid PID[,PID]        report CPU and memory of these processes and their descendants\n"
    "  --json                        one JSON object on stdout\n"
    "  --sink-relay                  with --sink: pass publishes on to the consumers of the queue\n";

static void fail(const char *text, const char *what) {
  fprintf(stderr, "load: %s: %s\n\n%s", text, what, USAGE);
  exit(2);
}

static double number(const char *name, const char *text, double min, double max) {
  char *end;
  double value = strtod(text, &end);
  if (*text == 0 || *end != 0 || !(value >= min && value <= max)) {
    char what[256];
    snprintf(what, sizeof what, "--%s %s (allowed: %.0f to %.0f)", name, text, min, max);
    fail("bad value", what);
  }
  return value;
}

static enum exchange_kind exchange_kind(const char *text) {
  static const char *const names[] = {"default", "direct", "topic", "fanout", "unbound"};
  for (int i = 0; i < 5; i++)
    if (strcmp(text, names[i]) == 0) return (enum exchange_kind)i;
  fail("bad value", "--exchange takes default, direct, topic, fanout or unbound");
  return EXCHANGE_DEFAULT;
}

static void add_pids(struct process_roots *roots, const char *list) {
  char *copy = strdup(list);
  for (char *part = strtok(copy, ","); part; part = strtok(NULL, ",")) {
    if (roots->count == PROCESS_ROOTS_MAX) fail("too many processes", list);
    roots->pids[roots->count++] = (int)number("broker-pid", part, 1, 1 << 30);
  }
  free(copy);
}

static void add_ports(struct options *options, const char *list) {
  char *copy = strdup(list);
  for (char *part = strtok(copy, ","); part; part = strtok(NULL, ",")) {
    if (options->port_count == PORTS_MAX) fail("too many ports", list);
    options->ports[options->port_count++] = (int)number("ports", part, 1, 65535);
  }
  free(copy);
}

enum choice {
  HOST = 256, PORT, HOME_PORT, CONSUMER_PORT, PORTS, DECLARE, CONNECTIONS, BIND, USER, PASSWORD, VHOST, SIZE, PRODUCERS, CONSUMERS, QUEUES, EXCHANGE, CONFIRM, PREFETCH, ACK_EVERY,
  PERSISTENT, DURABLE, QUORUM, RATE, SPIN, SECONDS, WARMUP, BACKLOG_ONLY, BACKLOG, KEEP,
  CONNECTIONS_IDLE, BROKER_PID, JSON, SINK, SINK_RELAY, HELP
};

static const struct option LONG_OPTIONS[] = {
    {"host", 1, 0, HOST}, {"port", 1, 0, PORT}, {"home-port", 1, 0, HOME_PORT}, {"consumer-port", 1, 0, CONSUMER_PORT},
    {"ports", 1, 0, PORTS}, {"declare", 1, 0, DECLARE}, {"connections", 1, 0, CONNECTIONS}, {"bind", 0, 0, BIND},
    {"user", 1, 0, USER}, {"password", 1, 0, PASSWORD},
    {"vhost", 1, 0, VHOST}, {"size", 1, 0, SIZE}, {"producers", 1, 0, PRODUCERS}, {"consumers", 1, 0, CONSUMERS},
    {"queues", 1, 0, QUEUES}, {"exchange", 1, 0, EXCHANGE}, {"confirm", 1, 0, CONFIRM}, {"prefetch", 1, 0, PREFETCH},
    {"ack-every", 1, 0, ACK_EVERY}, {"persistent", 0, 0, PERSISTENT}, {"durable", 0, 0, DURABLE}, {"quorum", 0, 0, QUORUM},
    {"rate", 1, 0, RATE}, {"spin", 0, 0, SPIN}, {"seconds", 1, 0, SECONDS}, {"warmup", 1, 0, WARMUP},
    {"backlog-only", 0, 0, BACKLOG_ONLY}, {"backlog", 1, 0, BACKLOG}, {"keep", 1, 0, KEEP},
    {"connections-idle", 1, 0, CONNECTIONS_IDLE}, {"broker-pid", 1, 0, BROKER_PID}, {"json", 0, 0, JSON},
    {"sink", 1, 0, SINK}, {"sink-relay", 0, 0, SINK_RELAY}, {"help", 0, 0, HELP}, {0, 0, 0, 0}};

static void apply(struct options *options, int choice, const char *name, const char *text) {
  switch (choice) {
    case HOST: options->host = text; break;
    case PORT: options->port = (int)number(name, text, 1, 65535); break;
    case HOME_PORT: options->home_port = (int)number(name, text, 1, 65535); break;
    case CONSUMER_PORT: options->consumer_port = (int)number(name, text, 1, 65535); break;
    case PORTS: add_ports(options, text); break;
    case DECLARE: options->declare = (int)number(name, text, 1, 1000000); break;
    case CONNECTIONS: options->connections = (int)number(name, text, 1, 20000); break;
    case BIND: options->bind = true; break;
    case USER: options->user = text; break;
    case PASSWORD: options->password = text; break;
    case VHOST: options->vhost = text; break;
    case SIZE: options->size_bytes = (uint32_t)number(name, text, 0, 64 << 20); break;
    case PRODUCERS: options->producers = (int)number(name, text, 0, 1000); break;
    case CONSUMERS: options->consumers = (int)number(name, text, 0, 1000); break;
    case QUEUES: options->queues = (int)number(name, text, 0, 10000); break;
    case EXCHANGE: options->exchange = exchange_kind(text); break;
    case CONFIRM: options->confirm_window = (uint32_t)number(name, text, 0, 1 << 19); break;
    case PREFETCH: options->prefetch = (uint32_t)number(name, text, 0, 65535); break;
    case ACK_EVERY: options->ack_every = (uint32_t)number(name, text, 1, 65535); break;
    case PERSISTENT: options->persistent = true; break;
    case DURABLE: options->durable = true; break;
    case QUORUM: options->quorum = options->durable = true; break;
    case RATE: options->rate_per_second = number(name, text, 0, 1e8); break;
    case SPIN: options->spin = true; break;
    case SECONDS: options->seconds = number(name, text, 0.1, 3600); break;
    case WARMUP: options->warmup_seconds = number(name, text, 0, 600); break;
    case BACKLOG_ONLY: options->backlog_only = true; break;
    case BACKLOG:
      options->fills = true;
      options->backlog = (uint64_t)number(name, text, 0, 1e9);
      break;
    case KEEP: options->keep = text; break;
    case CONNECTIONS_IDLE: options->connections_idle = (int)number(name, text, 1, 1000000); break;
    case BROKER_PID: add_pids(&options->broker, text); break;
    case JSON: options->json = true; break;
    case SINK: options->sink_port = (int)number(name, text, 1, 65535); break;
    case SINK_RELAY: options->sink_relay = true; break;
    case HELP: fputs(USAGE, stdout); exit(0);
    default: fputs(USAGE, stderr); exit(2);
  }
}

static void settle(struct options *options) {
  if (options->home_port == 0) options->home_port = options->port;
  if (options->consumer_port == 0) options->consumer_port = options->port;
  if (options->port_count == 0) options->ports[options->port_count++] = options->port;
  if (options->bind && options->declare == 0) fail("nothing to bind", "--bind needs --declare");
  if (options->connections > options->declare && options->declare > 0) options->connections = options->declare;
  if (options->backlog_only) options->consumers = 0;
  if (options->exchange == EXCHANGE_UNBOUND) options->queues = options->consumers = 0;
  else if (options->queues == 0) fail("no queue", "--queues 0 needs --exchange unbound");
  if (options->producers + options->consumers == 0) fail("nothing to do", "no producers and no consumers");
  bool one_queue = options->exchange == EXCHANGE_DEFAULT && options->queues == 1 && options->producers > 0;
  if (options->fills && !(one_queue && options->rate_per_second == 0))
    fail("not possible", "--backlog fills one queue, through the default exchange, flat out");
  if (options->keep && !options->fills) fail("nothing to keep", "--keep needs --backlog");
  if (options->fills && !options->keep && options->consumers == 0) fail("no consumer", "--backlog needs one, or --keep");
  if (options->prefetch > 0 && options->ack_every > options->prefetch)
    fail("would never acknowledge", "--ack-every is larger than --prefetch");
}

struct options options_parse(int argc, char **argv) {
  struct options options = {
      .host = "127.0.0.1", .port = 5672, .user = "guest", .password = "guest", .vhost = "/", .size_bytes = 16,
      .producers = 1, .consumers = 1, .queues = 1, .ack_every = 1, .connections = 64, .seconds = 5, .warmup_seconds = 1};
  for (int option, index = 0; (option = getopt_long(argc, argv, "", LONG_OPTIONS, &index)) != -1;)
    apply(&options, option, option == '?' ? "" : LONG_OPTIONS[index].name, optarg);
  if (optind < argc) fail("unknown argument", argv[optind]);
  settle(&options);
  return options;
}
