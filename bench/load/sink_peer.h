/* One client of the sink. */
#ifndef BENCH_SINK_PEER_H
#define BENCH_SINK_PEER_H

#include "connection.h"

struct sink_queue {
  char name[256];
  struct sink_peer *consumer;
};

struct sink {
  const struct options *options;
  int epoll;
  bool congested;
  struct sink_peer *peers;
  struct bytes flood;        /* deliveries, encoded once */
  uint32_t flood_messages;
  uint32_t flood_stride;
  struct sink_queue *queues; /* for the relay */
  int queue_count;
};

struct sink_peer {
  int fd;
  struct sink_peer *next;
  uint32_t watched;
  bool gone;
  bool greeted;
  uint8_t *in;
  size_t in_length;
  struct bytes out;
  size_t out_sent;
  /* as a producer */
  bool confirming;
  uint64_t published;
  uint64_t confirmed;
  uint64_t body_left;
  bool to_all;              /* the publish that is being read goes to all queues, else to target */
  int target;
  /* as a consumer */
  bool consumer;
  bool flooding;
  bool manual;
  uint32_t prefetch;
  uint64_t delivered;
  uint64_t acknowledged;
  struct bytes flood; /* a copy of its own, for the delivery tags */
  size_t flood_sent;
  size_t flood_length;
};

void sink_prepare(struct sink *sink);
struct sink_peer *sink_peer_new(struct sink *sink, int fd);
void sink_peer_free(struct sink *sink, struct sink_peer *peer);
void sink_peer_turn(struct sink *sink, struct sink_peer *peer, uint32_t events);
bool sink_peer_wants_write(const struct sink_peer *peer);

#endif
