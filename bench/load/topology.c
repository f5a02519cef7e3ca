#include "topology.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *exchange_type(enum exchange_kind kind) {
  if (kind == EXCHANGE_FANOUT || kind == EXCHANGE_UNBOUND) return "fanout";
  return kind == EXCHANGE_TOPIC ? "topic" : "direct";
}

static void declare_exchange(struct topology *t, const struct options *options) {
  struct bytes *out = &t->control.out;
  size_t start = method_begin(out, 1, EXCHANGE_DECLARE);
  put_u16(out, 0);
  put_shortstr(out, t->exchange);
  put_shortstr(out, exchange_type(options->exchange));
  put_u8(out, options->durable ? 2 : 0);
  put_u32(out, 0);
  frame_end(out, start);
  connection_wait(&t->control, EXCHANGE_DECLARE_OK, 10);
}

static void put_queue_arguments(struct bytes *out, const struct options *options) {
  if (!options->quorum) {
    put_u32(out, 0);
    return;
  }
  const char *type = "quorum";
  put_u32(out, (uint32_t)(1 + strlen("x-queue-type") + 1 + 4 + strlen(type)));
  put_shortstr(out, "x-queue-type");
  put_u8(out, 'S');
  put_longstr(out, type, strlen(type));
}

static void declare_queue(struct topology *t, const struct options *options, const char *name) {
  struct bytes *out = &t->control.out;
  size_t start = method_begin(out, 1, QUEUE_DECLARE);
  put_u16(out, 0);
  put_shortstr(out, name);
  /* Auto-delete, so that a generator that is killed leaves nothing behind once its consumers are gone. */
  bool auto_delete = options->consumers > 0 && !options->fills && !options->quorum;
  put_u8(out, (uint8_t)((options->durable ? 2 : 0) | (auto_delete ? 8 : 0)));
  put_queue_arguments(out, options);
  frame_end(out, start);
  connection_wait(&t->control, QUEUE_DECLARE_OK, 10);
}

static void bind_queue(struct topology *t, const char *name) {
  struct bytes *out = &t->control.out;
  size_t start = method_begin(out, 1, QUEUE_BIND);
  put_u16(out, 0);
  put_shortstr(out, name);
  put_shortstr(out, t->exchange);
  put_shortstr(out, name);
  put_u8(out, 0);
  put_u32(out, 0);
  frame_end(out, start);
  connection_wait(&t->control, QUEUE_BIND_OK, 10);
}

void topology_declare(struct topology *t, const struct options *options) {
  *t = (struct topology){.queue_count = options->queues};
  connection_open(&t->control, options, 64 * 1024);
  unsigned run = (unsigned)getpid() ^ (unsigned)(now_ns() / 1000);
  if (options->exchange != EXCHANGE_DEFAULT) {
    snprintf(t->exchange, sizeof t->exchange, "bench.%08x", run);
    declare_exchange(t, options);
  }
  t->queues = calloc((size_t)t->queue_count + 1, sizeof *t->queues);
  for (int i = 0; i < t->queue_count; i++) {
    t->queues[i] = malloc(256);
    if (options->keep) snprintf(t->queues[i], 256, "%s", options->keep);
    else snprintf(t->queues[i], 256, "bench.%08x.%04d", run, i);
    declare_queue(t, options, t->queues[i]);
    if (t->exchange[0]) bind_queue(t, t->queues[i]);
  }
  /* Publishing to an exchange without bindings still needs some routing key. */
  if (t->queue_count == 0) t->queues[0] = strdup("nobody");
}

uint32_t topology_waiting(struct topology *t, const struct options *options) {
  declare_queue(t, options, t->queues[0]);
  return t->control.waiting;
}

void topology_delete(struct topology *t) {
  struct bytes *out = &t->control.out;
  for (int i = 0; i < t->queue_count && !t->control.options->keep; i++) {
    size_t start = method_begin(out, 1, QUEUE_DELETE);
    put_u16(out, 0);
    put_shortstr(out, t->queues[i]);
    put_u8(out, 0);
    frame_end(out, start);
    connection_wait(&t->control, QUEUE_DELETE_OK, 30);
  }
  if (t->exchange[0]) {
    size_t start = method_begin(out, 1, EXCHANGE_DELETE);
    put_u16(out, 0);
    put_shortstr(out, t->exchange);
    put_u8(out, 0);
    frame_end(out, start);
    connection_wait(&t->control, EXCHANGE_DELETE_OK, 30);
  }
  connection_close(&t->control);
}
