#include "amqp.h"

#include <stdlib.h>

void bytes_reserve(struct bytes *out, size_t more) {
  if (out->length + more <= out->capacity) return;
  size_t capacity = out->capacity ? out->capacity : 256;
  while (capacity < out->length + more) capacity *= 2;
  out->data = realloc(out->data, capacity);
  if (!out->data) abort();
  out->capacity = capacity;
}

void put_raw(struct bytes *out, const void *data, size_t length) {
  if (length == 0) return;
  bytes_reserve(out, length);
  memcpy(out->data + out->length, data, length);
  out->length += length;
}

void put_u8(struct bytes *out, uint8_t value) { put_raw(out, &value, 1); }

void put_u16(struct bytes *out, uint16_t value) {
  value = __builtin_bswap16(value);
  put_raw(out, &value, 2);
}

void put_u32(struct bytes *out, uint32_t value) {
  value = __builtin_bswap32(value);
  put_raw(out, &value, 4);
}

void put_u64(struct bytes *out, uint64_t value) {
  value = __builtin_bswap64(value);
  put_raw(out, &value, 8);
}

void put_shortstr(struct bytes *out, const char *text) {
  put_u8(out, (uint8_t)strlen(text));
  put_raw(out, text, strlen(text) & 0xFF);
}

void put_longstr(struct bytes *out, const void *data, size_t length) {
  put_u32(out, (uint32_t)length);
  put_raw(out, data, length);
}

size_t frame_begin(struct bytes *out, uint8_t type, uint16_t channel) {
  size_t start = out->length;
  put_u8(out, type);
  put_u16(out, channel);
  put_u32(out, 0);
  return start;
}

size_t method_begin(struct bytes *out, uint16_t channel, enum method method) {
  size_t start = frame_begin(out, FRAME_METHOD, channel);
  put_u32(out, method);
  return start;
}

void frame_end(struct bytes *out, size_t start) {
  uint32_t size = __builtin_bswap32((uint32_t)(out->length - start - 7));
  memcpy(out->data + start + 3, &size, 4);
  put_u8(out, FRAME_END);
}

size_t put_content(struct bytes *out, uint32_t size_bytes, bool persistent, uint32_t frame_max) {
  size_t start = frame_begin(out, FRAME_HEADER, 1);
  put_u16(out, 60);
  put_u16(out, 0);
  put_u64(out, size_bytes);
  put_u16(out, 1 << 12); /* delivery-mode alone */
  put_u8(out, persistent ? 2 : 1);
  frame_end(out, start);
  size_t body_at = out->length + 7;
  for (uint32_t left = size_bytes; left > 0;) {
    uint32_t part = left < frame_max - FRAME_OVERHEAD ? left : frame_max - FRAME_OVERHEAD;
    start = frame_begin(out, FRAME_BODY, 1);
    bytes_reserve(out, part + 1);
    memset(out->data + out->length, 0, part);
    out->length += part;
    frame_end(out, start);
    left -= part;
  }
  return body_at;
}
