/* A producer: a batch of publishes encoded once, patched with time and sequence number, written in large pieces. */
#ifndef BENCH_PUBLISHER_H
#define BENCH_PUBLISHER_H

#include "connection.h"
#include "histogram.h"

struct publisher {
  struct connection connection;
  uint32_t number;
  /* the batch */
  struct bytes batch;
  uint32_t batch_messages;
  uint32_t stride_bytes;
  uint32_t body_offset;
  uint32_t targets;        /* how many routing keys the batch goes through in turn */
  size_t batch_sent;
  size_t batch_length;     /* where what is to be written ends, always behind a whole message */
  bool want_write;
  uint64_t messages_max;   /* 0 = as many as time allows */
  /* the schedule; interval 0 = flat out */
  double interval_ns;
  double first_ns;
  /* counts */
  uint64_t encoded;        /* messages put into a batch */
  uint64_t confirmed;
  uint64_t nacked;
  uint64_t returned;
  uint64_t blocked;
  bool closing;
  bool goodbye_queued;
  bool closed;
  /* confirms: what each outstanding delivery tag was meant to be sent at, 0 once it is confirmed */
  uint64_t *pending_ns;
  uint64_t confirmed_below; /* every tag up to this one is confirmed */
  struct histogram *confirm_latency;
  struct histogram *send_lag;
  uint64_t measure_from_ns;
};

/* Opens its connection and encodes the batch for these routing keys (all of one length). */
void publisher_open(struct publisher *p, const struct options *options, uint32_t number, const char *exchange,
                    char **keys, uint32_t key_count);

/* Messages wholly handed to the kernel. */
uint64_t publisher_sent(const struct publisher *p);

/* Writes what is due and what the window allows. `stop_ns`: nothing intended later than this is sent. */
void publisher_pump(struct publisher *p, uint64_t now, uint64_t stop_ns);

/* Reads confirms, returns and goodbyes. */
void publisher_read(struct publisher *p);

/* When the next message is due, UINT64_MAX in flat-out mode. */
uint64_t publisher_next_due_ns(const struct publisher *p);

/* Asks for the end once all that was encoded is written (and confirmed, when confirms are on). */
void publisher_finish(struct publisher *p);

#endif
