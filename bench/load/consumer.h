/* A consumer: walks through the frames that arrive, counts, measures and acknowledges. */
#ifndef BENCH_CONSUMER_H
#define BENCH_CONSUMER_H

#include "connection.h"
#include "histogram.h"

struct consumer {
  struct connection connection;
  uint32_t producers;       /* how many different stamps there can be */
  bool alone;               /* the only consumer of its queue: it must see every sequence number */
  uint32_t *next_sequence;  /* per producer */
  uint32_t body_left;       /* of the content that is being read */
  bool body_started;
  uint32_t unacknowledged;
  uint64_t last_tag;
  bool want_write;
  uint64_t received;        /* complete messages */
  uint64_t stamped;
  uint64_t gaps;            /* sequence numbers that were jumped over */
  uint64_t reordered;       /* sequence numbers that came again or late */
  struct histogram *latency;
  uint64_t measure_from_ns;
};

/* Opens its connection and starts consuming; deliveries may arrive from now on. */
void consumer_open(struct consumer *c, const struct options *options, const char *queue, bool alone);

/* One read and everything that came with it. */
void consumer_read(struct consumer *c);

/* Writes acknowledgements that did not fit before. */
void consumer_flush(struct consumer *c);

#endif
