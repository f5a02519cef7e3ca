/* The bytes of AMQP 0-9-1 that a load generator needs: method numbers, an encoder, a frame cursor. */
#ifndef BENCH_AMQP_H
#define BENCH_AMQP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { FRAME_METHOD = 1, FRAME_HEADER = 2, FRAME_BODY = 3, FRAME_HEARTBEAT = 8, FRAME_END = 0xCE, FRAME_OVERHEAD = 8 };

#define METHOD(class_id, method_id) (((uint32_t)(class_id) << 16) | (uint32_t)(method_id))
enum method {
  CONNECTION_START = METHOD(10, 10), CONNECTION_START_OK = METHOD(10, 11), CONNECTION_TUNE = METHOD(10, 30),
  CONNECTION_TUNE_OK = METHOD(10, 31), CONNECTION_OPEN = METHOD(10, 40), CONNECTION_OPEN_OK = METHOD(10, 41),
  CONNECTION_CLOSE = METHOD(10, 50), CONNECTION_CLOSE_OK = METHOD(10, 51), CONNECTION_BLOCKED = METHOD(10, 60),
  CONNECTION_UNBLOCKED = METHOD(10, 61), CHANNEL_OPEN = METHOD(20, 10), CHANNEL_OPEN_OK = METHOD(20, 11),
  CHANNEL_FLOW = METHOD(20, 20), CHANNEL_CLOSE = METHOD(20, 40), EXCHANGE_DECLARE = METHOD(40, 10),
  EXCHANGE_DECLARE_OK = METHOD(40, 11), EXCHANGE_DELETE = METHOD(40, 20), EXCHANGE_DELETE_OK = METHOD(40, 21),
  QUEUE_DECLARE = METHOD(50, 10), QUEUE_DECLARE_OK = METHOD(50, 11), QUEUE_BIND = METHOD(50, 20),
  QUEUE_BIND_OK = METHOD(50, 21), QUEUE_DELETE = METHOD(50, 40), QUEUE_DELETE_OK = METHOD(50, 41),
  BASIC_QOS = METHOD(60, 10), BASIC_QOS_OK = METHOD(60, 11), BASIC_CONSUME = METHOD(60, 20),
  BASIC_CONSUME_OK = METHOD(60, 21), BASIC_PUBLISH = METHOD(60, 40), BASIC_RETURN = METHOD(60, 50),
  BASIC_DELIVER = METHOD(60, 60), BASIC_ACK = METHOD(60, 80), BASIC_NACK = METHOD(60, 120),
  CONFIRM_SELECT = METHOD(85, 10), CONFIRM_SELECT_OK = METHOD(85, 11)
};

/* What the body of a measured message starts with, in this machine's byte order: only we read it. */
struct stamp {
  uint64_t intended_ns; /* CLOCK_MONOTONIC when it should have been sent; 0 = not stamped (a sink's flood) */
  uint32_t producer;
  uint32_t sequence;    /* counts per producer and queue */
};

struct bytes {
  uint8_t *data;
  size_t length;
  size_t capacity;
};

void bytes_reserve(struct bytes *out, size_t more);
void put_raw(struct bytes *out, const void *data, size_t length);
void put_u8(struct bytes *out, uint8_t value);
void put_u16(struct bytes *out, uint16_t value);
void put_u32(struct bytes *out, uint32_t value);
void put_u64(struct bytes *out, uint64_t value);
void put_shortstr(struct bytes *out, const char *text);
void put_longstr(struct bytes *out, const void *data, size_t length);

/* Opens a frame and returns where it starts; frame_end fills in its size and closes it. */
size_t frame_begin(struct bytes *out, uint8_t type, uint16_t channel);
size_t method_begin(struct bytes *out, uint16_t channel, enum method method);
void frame_end(struct bytes *out, size_t start);

/* One content as header frame and body frames of at most frame_max bytes; returns the offset of its first body byte. */
size_t put_content(struct bytes *out, uint32_t size_bytes, bool persistent, uint32_t frame_max);

static inline uint16_t get_u16(const uint8_t *at) {
  uint16_t value;
  memcpy(&value, at, 2);
  return __builtin_bswap16(value);
}
static inline uint32_t get_u32(const uint8_t *at) {
  uint32_t value;
  memcpy(&value, at, 4);
  return __builtin_bswap32(value);
}
static inline uint64_t get_u64(const uint8_t *at) {
  uint64_t value;
  memcpy(&value, at, 8);
  return __builtin_bswap64(value);
}
static inline void set_u64(uint8_t *at, uint64_t value) {
  value = __builtin_bswap64(value);
  memcpy(at, &value, 8);
}

struct frame {
  uint8_t type;
  uint16_t channel;
  uint32_t size;
  const uint8_t *payload;
};

/* Length of the whole frame at `at`, 0 when it is not complete yet, -1 when it does not end as a frame does. */
static inline long frame_read(const uint8_t *at, size_t available, struct frame *frame) {
  if (available < FRAME_OVERHEAD) return 0;
  frame->type = at[0];
  frame->channel = get_u16(at + 1);
  frame->size = get_u32(at + 3);
  frame->payload = at + 7;
  size_t total = (size_t)frame->size + FRAME_OVERHEAD;
  if (available < total) return 0;
  return at[total - 1] == FRAME_END ? (long)total : -1;
}

#endif
