#include "publisher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { BATCH_BYTES = 128 * 1024, READ_BYTES = 64 * 1024, TAG_RING = 1 << 20 };

static void put_publish(struct publisher *p, const char *exchange, const char *key) {
  size_t start = method_begin(&p->batch, 1, BASIC_PUBLISH);
  put_u16(&p->batch, 0);
  put_shortstr(&p->batch, exchange);
  put_shortstr(&p->batch, key);
  put_u8(&p->batch, 0);
  frame_end(&p->batch, start);
}

static void encode_batch(struct publisher *p, const char *exchange, char **keys) {
  const struct options *options = p->connection.options;
  do {
    for (uint32_t i = 0; i < p->targets; i++) {
      put_publish(p, exchange, keys[i]);
      size_t body_at = put_content(&p->batch, options->size_bytes, options->persistent, p->connection.frame_max);
      if (p->batch_messages++ == 0) p->body_offset = (uint32_t)body_at;
      if (p->batch_messages == 1) p->stride_bytes = (uint32_t)p->batch.length;
    }
  } while (p->batch.length + (size_t)p->targets * p->stride_bytes <= BATCH_BYTES);
}

static void select_confirms(struct publisher *p) {
  size_t start = method_begin(&p->connection.out, 1, CONFIRM_SELECT);
  put_u8(&p->connection.out, 0);
  frame_end(&p->connection.out, start);
  connection_wait(&p->connection, CONFIRM_SELECT_OK, 10);
  p->pending_ns = calloc(TAG_RING, sizeof *p->pending_ns);
}

void publisher_open(struct publisher *p, const struct options *options, uint32_t number, const char *exchange,
                    char **keys, uint32_t key_count) {
  *p = (struct publisher){.number = number, .targets = key_count};
  connection_open(&p->connection, options, READ_BYTES);
  encode_batch(p, exchange, keys);
  if (options->confirm_window > 0) select_confirms(p);
}

uint64_t publisher_sent(const struct publisher *p) {
  uint64_t unsent_bytes = p->batch_length - p->batch_sent;
  return p->encoded - (unsent_bytes + p->stride_bytes - 1) / p->stride_bytes;
}

static uint64_t intended_ns(const struct publisher *p, uint64_t message) {
  return (uint64_t)(p->first_ns + (double)message * p->interval_ns);
}

uint64_t publisher_next_due_ns(const struct publisher *p) {
  return p->interval_ns > 0 ? intended_ns(p, p->encoded) : UINT64_MAX;
}

/* How many messages may be encoded now: by the batch, by the confirm window, by the schedule. */
static uint32_t room(const struct publisher *p, uint64_t now, uint64_t stop_ns) {
  uint64_t allowed = p->batch_messages - p->encoded % p->targets;
  if (p->messages_max > 0 && allowed > p->messages_max - p->encoded) allowed = p->messages_max - p->encoded;
  if (p->pending_ns) {
    uint64_t window = p->connection.options->confirm_window, outstanding = p->encoded - p->confirmed;
    uint64_t ring = TAG_RING - (p->encoded - p->confirmed_below);
    if (allowed > window - outstanding) allowed = window - outstanding;
    if (allowed > ring) allowed = ring;
  }
  if (p->interval_ns > 0) {
    double until = (double)(now < stop_ns ? now : stop_ns);
    uint64_t due = until < p->first_ns ? 0 : (uint64_t)((until - p->first_ns) / p->interval_ns) + 1;
    if (due <= p->encoded) return 0;
    if (allowed > due - p->encoded) allowed = due - p->encoded;
  } else if (now >= stop_ns) {
    return 0;
  }
  return (uint32_t)allowed;
}

static void encode(struct publisher *p, uint32_t messages, uint64_t now) {
  bool stamped = p->connection.options->size_bytes >= sizeof(struct stamp);
  /* The batch starts with the first routing key, so what is written starts where the turn through them stands. */
  size_t start = (size_t)(p->encoded % p->targets) * p->stride_bytes;
  uint8_t *body = p->batch.data + start + p->body_offset;
  for (uint32_t i = 0; i < messages; i++, body += p->stride_bytes) {
    uint64_t number = p->encoded + i;
    uint64_t intended = p->interval_ns > 0 ? intended_ns(p, number) : now;
    struct stamp stamp = {intended, p->number, (uint32_t)(number / p->targets)};
    if (stamped) memcpy(body, &stamp, sizeof stamp);
    if (p->pending_ns) p->pending_ns[(number + 1) % TAG_RING] = intended;
    if (p->interval_ns > 0 && intended >= p->measure_from_ns) histogram_add(p->send_lag, now - intended);
  }
  p->encoded += messages;
  p->batch_sent = start;
  p->batch_length = start + (size_t)messages * p->stride_bytes;
}

/* True when the whole batch is with the kernel. */
static bool write_batch(struct publisher *p) {
  while (p->batch_sent < p->batch_length) {
    ssize_t sent = send(p->connection.fd, p->batch.data + p->batch_sent, p->batch_length - p->batch_sent, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (sent < 0) die("write failed: %s", strerror(errno));
    p->batch_sent += (size_t)sent;
    p->connection.moved_bytes += (uint64_t)sent;
  }
  return true;
}

void publisher_pump(struct publisher *p, uint64_t now, uint64_t stop_ns) {
  if (p->closed) return;
  bool flat_out = p->interval_ns == 0 && !p->pending_ns;
  for (;;) {
    p->want_write = !write_batch(p);
    if (p->want_write) return;
    uint32_t messages = p->closing ? 0 : room(p, now, stop_ns);
    if (messages == 0) break;
    encode(p, messages, now);
    if (flat_out) {
      /* One batch a turn, so that the consumers in this thread get theirs. */
      p->want_write = true;
      write_batch(p);
      return;
    }
  }
  p->want_write = !connection_flush(&p->connection);
}

static void confirm_one(struct publisher *p, uint64_t tag, uint64_t now) {
  uint64_t *pending = &p->pending_ns[tag % TAG_RING];
  if (*pending == 0) return;
  if (*pending >= p->measure_from_ns) histogram_add(p->confirm_latency, now > *pending ? now - *pending : 0);
  *pending = 0;
  p->confirmed++;
}

static void confirm(struct publisher *p, const struct frame *frame, uint64_t now) {
  uint64_t tag = get_u64(frame->payload + 4);
  bool multiple = frame->payload[12] & 1;
  if (!p->pending_ns || tag > p->encoded || tag == 0)
    die("the broker confirmed message %llu, which was not sent", (unsigned long long)tag);
  uint64_t before = p->confirmed;
  for (uint64_t t = multiple ? p->confirmed_below + 1 : tag; t <= tag; t++)
    if (t > p->confirmed_below) confirm_one(p, t, now);
  if (frame_method(frame) == BASIC_NACK) p->nacked += p->confirmed - before;
  while (p->confirmed_below < p->encoded && p->pending_ns[(p->confirmed_below + 1) % TAG_RING] == 0)
    p->confirmed_below++;
}

static void on_method(struct publisher *p, const struct frame *frame, uint64_t now) {
  switch (frame_method(frame)) {
    case BASIC_ACK:
    case BASIC_NACK: confirm(p, frame, now); break;
    case BASIC_RETURN: p->returned++; break;
    case CONNECTION_BLOCKED:
      if (p->blocked++ == 0) fputs("load: the broker blocks publishers (connection.blocked)\n", stderr);
      break;
    case CONNECTION_CLOSE_OK: p->closed = true; break;
    default: connection_handshake_step(&p->connection, frame); break;
  }
}

void publisher_read(struct publisher *p) {
  if (p->closed || !connection_fill(&p->connection)) return;
  uint64_t now = now_ns();
  struct connection *c = &p->connection;
  struct frame frame;
  size_t used = 0;
  for (long taken; !p->closed && (taken = frame_read(c->in + used, c->in_length - used, &frame)) != 0;) {
    if (taken < 0) die("a producer received something that is not a frame");
    if (frame.type == FRAME_METHOD) on_method(p, &frame, now);
    used += (size_t)taken;
  }
  connection_consume(c, used);
}

void publisher_finish(struct publisher *p) {
  p->closing = true;
  bool settled = p->batch_sent == p->batch_length && (!p->pending_ns || p->confirmed == p->encoded);
  if (!settled || p->goodbye_queued) return;
  p->goodbye_queued = true;
  connection_queue_close(&p->connection);
  p->want_write = !connection_flush(&p->connection);
}
