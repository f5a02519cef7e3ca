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
  bool is_subscriber;
  bool is_open;       /* CONNACK came */
  bool is_subscribed; /* SUBACK came */
  uint8_t *in;
  size_t in_used;
  uint8_t *out;
  size_t out_from, out_used;
  uint16_t next_id;
  int window;    /* QoS 1 and 2 that may still be sent */
  uint64_t sent; /* messages, which carry this number */
};

/* What all clients count together. */
struct counts {
  uint64_t published, consumed, acknowledged;
  bool is_measured; /* latencies are noted */
  struct histogram latency;
};

uint64_t now_ns(void);
void client_connect(struct client *client, const char *host, int port, const char *id);
void client_subscribe(struct client *client, const char *filter, int qos);
/* A message of `size` bytes that begins with the time; false when the buffer is full. */
bool client_publish(struct client *client, const char *topic, int qos, int size, uint64_t stamp_ns);
/* Reads what there is. */
void client_read(struct client *client, struct counts *counts);
/* Writes what there is; true when something is left. */
bool client_flush(struct client *client);

#endif
