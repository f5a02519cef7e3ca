/* One client connection: socket, buffers, handshake, and the few calls that wait for an answer (set-up and goodbye). */
#ifndef BENCH_CONNECTION_H
#define BENCH_CONNECTION_H

#include "amqp.h"
#include "options.h"

struct connection {
  int fd;
  const struct options *options;
  uint32_t frame_max;
  bool open;           /* connection.open-ok has arrived */
  struct bytes out;    /* whole frames that still have to be written */
  size_t out_sent;
  uint8_t *in;
  size_t in_length;
  size_t in_capacity;
  uint64_t moved_bytes; /* read, and written as publishes */
  uint32_t waiting;     /* messages in the queue, as the last queue.declare-ok said */
};

uint64_t now_ns(void);

/* Prints "load: ..." and exits with status 1: a benchmark that meets an error has no result. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Room for so many sockets; dies when this user may not have it. */
void connection_raise_file_limit(int connections);

/* Starts connecting, from 127.0.0.<source_last> when that is not 0, and queues the protocol header. */
void connection_start(struct connection *c, const struct options *options, size_t in_capacity, int source_last);

/* Writes what is queued; true when nothing is left. */
bool connection_flush(struct connection *c);

/* One read of what has arrived; false when nothing was there. Dies when the peer has gone. */
bool connection_fill(struct connection *c);

/* Forgets the first `used` bytes read. */
void connection_consume(struct connection *c, size_t used);

/* Answers a method of the handshake; dies on connection.close and channel.close. */
void connection_handshake_step(struct connection *c, const struct frame *frame);

/* Connects, opens the connection and channel 1, waiting for each answer. */
void connection_open(struct connection *c, const struct options *options, size_t in_capacity);

/* Writes what is queued and waits for this method, skipping everything else; at most timeout_seconds. */
void connection_wait(struct connection *c, enum method method, double timeout_seconds);

/* connection.close, its answer, and the end of the socket. */
void connection_close(struct connection *c);
void connection_queue_close(struct connection *c);

static inline enum method frame_method(const struct frame *frame) {
  return frame->type == FRAME_METHOD && frame->size >= 4 ? (enum method)get_u32(frame->payload) : (enum method)0;
}

#endif
