/* One MQTT connection of the load generator: what it has to say gathers in one buffer, what it hears is looked at where it lies. */
#ifndef BENCH_MQTT_CLIENT_H
#define BENCH_MQTT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../load/histogram.h"

enum { CLIENT_IN_BYTES = 1 << 18, CLIENT_OUT_BYTES = 1 << 18 };

struct client {
  int fd;
  int version; /* 4: 3.1.1, 5 */
  bool is_subscriber;
  bool is_open;    /* CONNACK came */
  bool is_refused; /* CONNACK came, and says no, or the broker hung up; only where that may be */
  bool may_be_refused;
  int subacks_due; /* SUBSCRIBE that was not answered yet */
  uint8_t *in;
  size_t in_used;
  uint8_t *out;
  size_t out_from, out_used;
  uint16_t next_id;
  int window;    /* QoS 1 and 2 that may still be sent */
  uint64_t sent; /* messages, which carry this number */
  uint64_t heard; /* messages */
  uint64_t first_ns, last_ns; /* when the first and the last of them came */
  uint64_t pinged_ns;         /* PINGREQ that was not answered yet; 0: none */
};

/* What all clients count together. */
struct counts {
  uint64_t published, consumed, acknowledged;
  bool is_measured; /* latencies are noted */
  struct histogram latency;
  struct histogram pings;
};

uint64_t now_ns(void);
/* Ends the program, with errno's words or these alone. */
void fail(const char *what);
void client_connect(struct client *client, const char *host, int port, const char *id);
/* Ends the connection without a word, and lets go of its buffers. */
void client_drop(struct client *client);
/* One SUBSCRIBE; false when the buffer is full. */
bool client_subscribe(struct client *client, const char *filter, int qos);
/* A message of `size` bytes that begins with the time; false when the buffer is full. */
bool client_publish(struct client *client, const char *topic, int qos, bool retain, int size, uint64_t stamp_ns);
/* One PINGREQ, unless one is not answered yet: how long it takes goes to `counts.pings`. */
void client_ping(struct client *client);
/* Reads what there is. */
void client_read(struct client *client, struct counts *counts);
/* Writes what there is; true when something is left. */
bool client_flush(struct client *client);
/* Reads and writes until the broker has answered CONNECT and every SUBSCRIBE, or `seconds` are over, which ends the program. */
void client_settle(struct client *client, struct counts *counts, double seconds);

#endif
