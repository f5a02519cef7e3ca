#include "consumer.h"

#include <stdlib.h>

enum { READ_BYTES = 512 * 1024 };

static void set_prefetch(struct connection *c, uint32_t prefetch) {
  size_t start = method_begin(&c->out, 1, BASIC_QOS);
  put_u32(&c->out, 0);
  put_u16(&c->out, (uint16_t)prefetch);
  put_u8(&c->out, 0);
  frame_end(&c->out, start);
  connection_wait(c, BASIC_QOS_OK, 10);
}

void consumer_open(struct consumer *c, const struct options *options, const char *queue, bool alone) {
  *c = (struct consumer){.alone = alone, .producers = (uint32_t)options->producers};
  c->next_sequence = calloc(c->producers + 1, sizeof *c->next_sequence);
  connection_open(&c->connection, options, READ_BYTES);
  if (options->prefetch > 0) set_prefetch(&c->connection, options->prefetch);
  struct bytes *out = &c->connection.out;
  size_t start = method_begin(out, 1, BASIC_CONSUME);
  put_u16(out, 0);
  put_shortstr(out, queue);
  put_shortstr(out, "bench");
  put_u8(out, options->prefetch > 0 ? 0 : 2); /* no-ack */
  put_u32(out, 0);
  frame_end(out, start);
  connection_wait(&c->connection, BASIC_CONSUME_OK, 10);
}

static void check_stamp(struct consumer *c, const uint8_t *body, uint64_t now) {
  struct stamp stamp;
  memcpy(&stamp, body, sizeof stamp);
  if (stamp.intended_ns == 0) return;
  if (stamp.producer >= c->producers || stamp.intended_ns > now) die("a delivery does not hold what was published");
  c->stamped++;
  uint32_t ahead = stamp.sequence - c->next_sequence[stamp.producer];
  if (ahead != 0) {
    if ((int32_t)ahead < 0) c->reordered++;
    else if (c->alone) c->gaps += ahead;
  }
  c->next_sequence[stamp.producer] = stamp.sequence + 1;
  if (stamp.intended_ns >= c->measure_from_ns) histogram_add(c->latency, now - stamp.intended_ns);
}

static void acknowledge(struct consumer *c) {
  const struct options *options = c->connection.options;
  if (++c->unacknowledged < options->ack_every) return;
  struct bytes *out = &c->connection.out;
  size_t start = method_begin(out, 1, BASIC_ACK);
  put_u64(out, c->last_tag);
  put_u8(out, c->unacknowledged > 1);
  frame_end(out, start);
  c->unacknowledged = 0;
}

static void on_complete(struct consumer *c) {
  c->received++;
  if (c->connection.options->prefetch > 0) acknowledge(c);
}

static void on_method(struct consumer *c, const struct frame *frame) {
  if (frame_method(frame) == BASIC_DELIVER) c->last_tag = get_u64(frame->payload + 5 + frame->payload[4]);
  else connection_handshake_step(&c->connection, frame);
}

static void on_header(struct consumer *c, const struct frame *frame) {
  uint64_t size = get_u64(frame->payload + 4);
  if (size != c->connection.options->size_bytes) die("a delivery has %llu bytes", (unsigned long long)size);
  c->body_left = (uint32_t)size;
  c->body_started = false;
  if (size == 0) on_complete(c);
}

static void on_body(struct consumer *c, const struct frame *frame, uint64_t now) {
  if (frame->size > c->body_left) die("a delivery has more body than its header says");
  if (!c->body_started && frame->size >= sizeof(struct stamp)) check_stamp(c, frame->payload, now);
  c->body_started = true;
  c->body_left -= frame->size;
  if (c->body_left == 0) on_complete(c);
}

void consumer_read(struct consumer *c) {
  if (!connection_fill(&c->connection)) return;
  uint64_t now = now_ns();
  const uint8_t *in = c->connection.in;
  size_t length = c->connection.in_length, used = 0;
  struct frame frame;
  for (long taken; (taken = frame_read(in + used, length - used, &frame)) != 0; used += (size_t)taken) {
    if (taken < 0) die("a consumer received something that is not a frame");
    if (frame.type == FRAME_BODY) on_body(c, &frame, now);
    else if (frame.type == FRAME_HEADER) on_header(c, &frame);
    else if (frame.type == FRAME_METHOD) on_method(c, &frame);
  }
  connection_consume(&c->connection, used);
  consumer_flush(c);
}

void consumer_flush(struct consumer *c) { c->want_write = !connection_flush(&c->connection); }
