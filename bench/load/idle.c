#include "idle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "connection.h"

/* A client address has 28,232 ephemeral ports by default; some may be in use or in TIME_WAIT. */
enum { OPENING_AT_ONCE = 100, EVENTS_MAX = 256, READ_BYTES = 2048, CONNECTIONS_A_SOURCE = 20000 };
static const double OPEN_SECONDS_MAX = 120;

struct idle {
  const struct options *options;
  struct connection *connections;
  int epoll;
  int started;
  int open;
};

static void start_next(struct idle *idle) {
  int number = idle->started++;
  int source_last = 0;
  if (number >= CONNECTIONS_A_SOURCE && strncmp(idle->options->host, "127.", 4) == 0)
    source_last = 1 + number / CONNECTIONS_A_SOURCE;
  struct connection *c = &idle->connections[number];
  connection_start(c, idle->options, READ_BYTES, source_last);
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
  if (epoll_ctl(idle->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) die("epoll_ctl: %s", strerror(errno));
}

static void handshake(struct idle *idle, struct connection *c, uint32_t events) {
  if (events & ~(uint32_t)EPOLLOUT) connection_fill(c);
  struct frame frame;
  size_t used = 0;
  for (long length; (length = frame_read(c->in + used, c->in_length - used, &frame)) != 0; used += (size_t)length) {
    if (length < 0) die("the broker sent something that is not a frame");
    connection_handshake_step(c, &frame);
  }
  connection_consume(c, used);
  struct epoll_event event = {.events = EPOLLIN | (connection_flush(c) ? 0 : (uint32_t)EPOLLOUT), .data.ptr = c};
  epoll_ctl(idle->epoll, EPOLL_CTL_MOD, c->fd, &event);
  if (c->open) idle->open++;
}

/* One wait; a connection that is open already must stay silent, save for what connection_fill dies of. */
static void turn(struct idle *idle, int wait_ms) {
  struct epoll_event events[EVENTS_MAX];
  int count = epoll_wait(idle->epoll, events, EVENTS_MAX, wait_ms);
  for (int i = 0; i < count; i++) {
    struct connection *c = events[i].data.ptr;
    if (!c->open) handshake(idle, c, events[i].events);
    else if (connection_fill(c)) connection_consume(c, c->in_length);
  }
}

static void open_all(struct idle *idle) {
  uint64_t deadline_ns = now_ns() + (uint64_t)(OPEN_SECONDS_MAX * 1e9);
  while (idle->open < idle->options->connections_idle) {
    while (idle->started < idle->options->connections_idle && idle->started - idle->open < OPENING_AT_ONCE)
      start_next(idle);
    turn(idle, 100);
    if (now_ns() > deadline_ns) die("only %d connections are open after %.0f s", idle->open, OPEN_SECONDS_MAX);
  }
}

static void close_all(struct idle *idle) {
  for (int i = 0; i < idle->started; i++) {
    connection_queue_close(&idle->connections[i]);
    connection_flush(&idle->connections[i]);
  }
  for (int i = 0; i < idle->started; i++) {
    connection_wait(&idle->connections[i], CONNECTION_CLOSE_OK, 60);
    close(idle->connections[i].fd);
  }
}

void idle_run(const struct options *options, struct idle_result *result) {
  struct idle idle = {.options = options, .epoll = epoll_create1(EPOLL_CLOEXEC)};
  connection_raise_file_limit(options->connections_idle);
  idle.connections = calloc((size_t)options->connections_idle, sizeof *idle.connections);
  struct process_tree tree = process_tree_find(&options->broker);
  *result = (struct idle_result){.connections = options->connections_idle, .before = process_tree_usage(&tree)};
  uint64_t start_ns = now_ns();
  open_all(&idle);
  result->open_seconds = (double)(now_ns() - start_ns) / 1e9;
  uint64_t until_ns = now_ns() + (uint64_t)(options->seconds * 1e9);
  while (now_ns() < until_ns) turn(&idle, 100);
  result->after = process_tree_usage(&tree);
  close_all(&idle);
}
