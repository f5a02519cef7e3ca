#include "declare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "connection.h"

enum { EVENTS_MAX = 256, READ_BYTES = 16 * 1024 };
static const double OPEN_SECONDS_MAX = 60, DECLARE_SECONDS_MAX = 120, REACH_SECONDS_MAX = 30;

/* One connection, its options (every one may have another node), and the queue that it is busy with. */
struct declarer {
  struct connection connection;
  struct options options;
  int number;   /* of its first queue; every `connections`-th is its own */
  int next;     /* the queue that it is busy with, or will be */
  bool is_open; /* its channel is */
  uint64_t began_ns;
};

struct work {
  const struct options *options;
  struct declare_result *result;
  struct declarer *declarers;
  unsigned run;
  char exchange[64];
  int epoll;
  int open;
  int done;
  int reached;
  int deleted;
};

static void queue_name(const struct work *w, int number, char name[64]) {
  snprintf(name, 64, "bench.%08x.%07d", w->run, number);
}

static void put_declare(struct work *w, struct declarer *d) {
  struct bytes *out = &d->connection.out;
  char name[64] = "";
  if (!w->options->bind) queue_name(w, d->next, name);
  size_t start = method_begin(out, 1, QUEUE_DECLARE);
  put_u16(out, 0);
  put_shortstr(out, name);
  put_u8(out, (uint8_t)((w->options->durable ? 2 : 0) | (w->options->bind ? 4 : 0)));
  put_u32(out, 0);
  frame_end(out, start);
  d->began_ns = now_ns();
}

/* To the queue that was declared last on this channel: an empty name stands for it. The key is its number. */
static void put_bind(struct work *w, struct declarer *d) {
  struct bytes *out = &d->connection.out;
  char key[64];
  queue_name(w, d->next, key);
  size_t start = method_begin(out, 1, QUEUE_BIND);
  put_u16(out, 0);
  put_shortstr(out, "");
  put_shortstr(out, w->exchange);
  put_shortstr(out, key);
  put_u8(out, 0);
  put_u32(out, 0);
  frame_end(out, start);
}

static void put_consume(struct declarer *d) {
  struct bytes *out = &d->connection.out;
  size_t start = method_begin(out, 1, BASIC_CONSUME);
  put_u16(out, 0);
  put_shortstr(out, "");
  put_shortstr(out, "");
  put_u8(out, 2); /* no-ack */
  put_u32(out, 0);
  frame_end(out, start);
}

static void declare_next(struct work *w, struct declarer *d) {
  histogram_add(&w->result->latency, now_ns() - d->began_ns);
  w->done++;
  d->next += w->options->connections;
  if (d->next < w->options->declare) put_declare(w, d);
}

static void put_delete(struct work *w, struct declarer *d) {
  struct bytes *out = &d->connection.out;
  char name[64];
  queue_name(w, d->next, name);
  size_t start = method_begin(out, 1, QUEUE_DELETE);
  put_u16(out, 0);
  put_shortstr(out, name);
  put_u8(out, 0);
  frame_end(out, start);
}

static void delete_next(struct work *w, struct declarer *d) {
  w->deleted++;
  d->next += w->options->connections;
  if (d->next < w->options->declare) put_delete(w, d);
}

static void on_frame(struct work *w, struct declarer *d, const struct frame *frame) {
  connection_handshake_step(&d->connection, frame);
  switch (frame_method(frame)) {
    case CONNECTION_OPEN_OK: {
      size_t start = method_begin(&d->connection.out, 1, CHANNEL_OPEN);
      put_shortstr(&d->connection.out, "");
      frame_end(&d->connection.out, start);
      break;
    }
    case CHANNEL_OPEN_OK:
      d->is_open = true;
      w->open++;
      break;
    case QUEUE_DECLARE_OK:
      if (w->options->bind) put_bind(w, d);
      else declare_next(w, d);
      break;
    case QUEUE_BIND_OK: put_consume(d); break;
    case BASIC_CONSUME_OK: declare_next(w, d); break;
    case BASIC_DELIVER: w->reached++; break;
    case QUEUE_DELETE_OK: delete_next(w, d); break;
    default: break;
  }
}

static void watch(struct work *w, struct declarer *d, int operation) {
  bool is_flushed = connection_flush(&d->connection);
  struct epoll_event event = {.events = EPOLLIN | (is_flushed ? 0 : (uint32_t)EPOLLOUT), .data.ptr = d};
  if (epoll_ctl(w->epoll, operation, d->connection.fd, &event) != 0) die("epoll_ctl: %d", errno);
}

static void turn(struct work *w) {
  struct epoll_event events[EVENTS_MAX];
  int count = epoll_wait(w->epoll, events, EVENTS_MAX, 50);
  for (int i = 0; i < count; i++) {
    struct declarer *d = events[i].data.ptr;
    struct connection *c = &d->connection;
    if (events[i].events & ~(uint32_t)EPOLLOUT) connection_fill(c);
    struct frame frame;
    size_t used = 0;
    for (long length; (length = frame_read(c->in + used, c->in_length - used, &frame)) != 0; used += (size_t)length) {
      if (length < 0) die("the broker sent something that is not a frame");
      on_frame(w, d, &frame);
    }
    connection_consume(c, used);
    watch(w, d, EPOLL_CTL_MOD);
  }
}

/* Returns the seconds that it took. */
static double turn_until(struct work *w, const int *count, int wanted, double seconds_max, const char *what) {
  uint64_t start_ns = now_ns(), deadline_ns = start_ns + (uint64_t)(seconds_max * 1e9);
  while (*count < wanted) {
    if (now_ns() > deadline_ns) die("%s: only %d of %d after %.0f s", what, *count, wanted, seconds_max);
    turn(w);
  }
  return (double)(now_ns() - start_ns) / 1e9;
}

static void open_all(struct work *w) {
  const struct options *options = w->options;
  w->declarers = calloc((size_t)options->connections, sizeof *w->declarers);
  for (int i = 0; i < options->connections; i++) {
    struct declarer *d = &w->declarers[i];
    d->options = *options;
    d->options.port = options->ports[i % options->port_count];
    d->number = d->next = i;
    connection_start(&d->connection, &d->options, READ_BYTES, 0);
    watch(w, d, EPOLL_CTL_ADD);
  }
  w->result->open_seconds = turn_until(w, &w->open, options->connections, OPEN_SECONDS_MAX, "opening connections");
}

static void declare_exchange(struct work *w, struct connection *control) {
  struct bytes *out = &control->out;
  size_t start = method_begin(out, 1, EXCHANGE_DECLARE);
  put_u16(out, 0);
  put_shortstr(out, w->exchange);
  put_shortstr(out, "direct");
  put_u8(out, 0);
  put_u32(out, 0);
  frame_end(out, start);
  connection_wait(control, EXCHANGE_DECLARE_OK, 10);
}

static void delete_exchange(struct work *w, struct connection *control) {
  struct bytes *out = &control->out;
  size_t start = method_begin(out, 1, EXCHANGE_DELETE);
  put_u16(out, 0);
  put_shortstr(out, w->exchange);
  put_u8(out, 0);
  frame_end(out, start);
  connection_wait(control, EXCHANGE_DELETE_OK, 30);
}

/* One mandatory message to each queue, through the exchange, from the control connection; what is returned is counted in the end. */
static void reach_all(struct work *w, struct connection *control) {
  struct bytes *out = &control->out;
  for (int i = 0; i < w->options->declare; i++) {
    char key[64];
    queue_name(w, i, key);
    size_t start = method_begin(out, 1, BASIC_PUBLISH);
    put_u16(out, 0);
    put_shortstr(out, w->exchange);
    put_shortstr(out, key);
    put_u8(out, 1); /* mandatory */
    frame_end(out, start);
    put_content(out, 16, false, control->frame_max);
  }
  uint64_t start_ns = now_ns(), deadline_ns = start_ns + (uint64_t)(REACH_SECONDS_MAX * 1e9);
  while (w->reached < w->options->declare) {
    connection_flush(control);
    if (connection_fill(control)) die("the broker said something to a publisher: a message was returned");
    if (now_ns() > deadline_ns) die("only %d of %d queues were reached", w->reached, w->options->declare);
    turn(w);
  }
  w->result->reached_seconds = (double)(now_ns() - start_ns) / 1e9;
}

/* By who declared them, again each connection one after the other. */
static void delete_queues(struct work *w) {
  for (int i = 0; i < w->options->connections; i++) {
    struct declarer *d = &w->declarers[i];
    d->next = d->number;
    put_delete(w, d);
    watch(w, d, EPOLL_CTL_MOD);
  }
  w->result->delete_seconds = turn_until(w, &w->deleted, w->options->declare, DECLARE_SECONDS_MAX, "deleting");
}

static void close_all(struct work *w) {
  for (int i = 0; i < w->options->connections; i++) connection_queue_close(&w->declarers[i].connection);
  for (int i = 0; i < w->options->connections; i++) connection_flush(&w->declarers[i].connection);
  for (int i = 0; i < w->options->connections; i++) {
    connection_wait(&w->declarers[i].connection, CONNECTION_CLOSE_OK, 60);
    close(w->declarers[i].connection.fd);
  }
}

void declare_run(const struct options *options, struct declare_result *result) {
  struct work w = {.options = options, .result = result, .epoll = epoll_create1(EPOLL_CLOEXEC)};
  *result = (struct declare_result){.queues = options->declare};
  w.run = (unsigned)getpid() ^ (unsigned)(now_ns() / 1000);
  snprintf(w.exchange, sizeof w.exchange, "bench.%08x", w.run);
  connection_raise_file_limit(options->connections);
  struct connection control;
  connection_open(&control, options, 64 * 1024);
  if (options->bind) declare_exchange(&w, &control);
  struct process_tree tree = process_tree_find(&options->broker);
  result->before = process_tree_usage(&tree);
  open_all(&w);
  uint64_t start_ns = now_ns();
  for (int i = 0; i < options->connections; i++) {
    put_declare(&w, &w.declarers[i]);
    watch(&w, &w.declarers[i], EPOLL_CTL_MOD);
  }
  turn_until(&w, &w.done, options->declare, DECLARE_SECONDS_MAX, "declaring");
  result->seconds = (double)(now_ns() - start_ns) / 1e9;
  result->after = process_tree_usage(&tree);
  if (options->bind) reach_all(&w, &control);
  else delete_queues(&w);
  close_all(&w);
  if (options->bind) delete_exchange(&w, &control);
  connection_close(&control);
}
