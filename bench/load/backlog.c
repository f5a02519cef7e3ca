#include "backlog.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "consumer.h"
#include "publisher.h"
#include "topology.h"

/* Slower than this in either direction is no benchmark any more. */
static const double MESSAGES_A_SECOND_MIN = 5000, START_SECONDS = 30;
enum { TRIAL_MESSAGES_MAX = 100000, LOOK_NS = 20000000, CLIENTS_MAX = 64 };

struct backlog {
  const struct options *options;
  struct topology topology;
  struct backlog_result *result;
  /* What is not measured here, but counted by what is shared with other rows. */
  struct histogram unused;
};

static double seconds_since(uint64_t start_ns) { return (double)(now_ns() - start_ns) / 1e9; }

double backlog_seconds_max(const struct options *options) {
  return options->fills ? 2 * (START_SECONDS + (double)options->backlog / MESSAGES_A_SECOND_MIN) : 0;
}

static void pause_seconds(double seconds) {
  struct timespec pause = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
  while (nanosleep(&pause, &pause) != 0) continue;
}

static void check_deadline(const struct backlog *b, uint64_t start_ns, uint64_t messages, const char *what) {
  double seconds_max = START_SECONDS + (double)messages / MESSAGES_A_SECOND_MIN;
  if (seconds_since(start_ns) > seconds_max)
    die("%s took longer than %.0f s; %u messages are waiting", what, seconds_max, b->topology.control.waiting);
}

static void open_publishers(struct backlog *b, struct publisher *publishers, uint64_t messages) {
  int count = b->options->producers;
  for (int i = 0; i < count; i++) {
    struct publisher *p = &publishers[i];
    publisher_open(p, b->options, (uint32_t)i, "", b->topology.queues, 1);
    p->messages_max = messages / (uint64_t)count + (i == 0 ? messages % (uint64_t)count : 0);
    p->confirm_latency = p->send_lag = &b->unused;
    p->measure_from_ns = UINT64_MAX;
    /* One that has nothing to do would take 0 for "no limit". */
    p->closing = p->messages_max == 0;
  }
}

/* All of them written, confirmed when confirms are on, and the connections closed. */
static void publish_all(struct backlog *b, struct publisher *publishers, uint64_t messages, uint64_t start_ns) {
  int count = b->options->producers;
  struct pollfd wait[CLIENTS_MAX];
  for (int open = count; open > 0;) {
    open = 0;
    for (int i = 0; i < count; i++) {
      struct publisher *p = &publishers[i];
      if (!p->closed) publisher_pump(p, now_ns(), UINT64_MAX);
      if (!p->closed && p->encoded == p->messages_max) publisher_finish(p);
      open += !p->closed;
      wait[i] = (struct pollfd){.fd = p->closed ? -1 : p->connection.fd, .events = POLLIN};
      if (p->want_write) wait[i].events |= POLLOUT;
    }
    if (open == 0) break;
    poll(wait, (nfds_t)count, 100);
    for (int i = 0; i < count; i++)
      if (wait[i].revents & (POLLIN | POLLHUP | POLLERR)) publisher_read(&publishers[i]);
    check_deadline(b, start_ns, messages, "publishing the backlog");
  }
}

static void fill(struct backlog *b, uint64_t messages) {
  struct publisher *publishers = calloc((size_t)b->options->producers, sizeof *publishers);
  uint64_t waiting = topology_waiting(&b->topology, b->options);
  open_publishers(b, publishers, messages);
  uint64_t start_ns = now_ns();
  if (messages > 0) publish_all(b, publishers, messages, start_ns);
  /* Without confirms a broker may still be at it when the publisher has gone. */
  while (topology_waiting(&b->topology, b->options) < waiting + messages) {
    check_deadline(b, start_ns, messages, "taking the backlog");
    pause_seconds(LOOK_NS / 1e9);
  }
  struct backlog_result *result = b->result;
  result->fill_seconds = seconds_since(start_ns);
  result->published = messages;
  for (int i = 0; i < b->options->producers; i++) {
    result->nacked += publishers[i].nacked;
    result->returned += publishers[i].returned;
    result->blocked += publishers[i].blocked;
    if (publishers[i].closed) close(publishers[i].connection.fd);
    else connection_close(&publishers[i].connection);
    free(publishers[i].pending_ns);
    free(publishers[i].batch.data);
  }
  free(publishers);
}

static uint64_t received(const struct consumer *consumers, int count) {
  uint64_t received = 0;
  for (int i = 0; i < count; i++) received += consumers[i].received;
  return received;
}

static void drain(struct backlog *b, uint64_t messages) {
  int count = b->options->consumers;
  struct consumer *consumers = calloc((size_t)count, sizeof *consumers);
  uint64_t start_ns = now_ns();
  for (int i = 0; i < count; i++) {
    consumer_open(&consumers[i], b->options, b->topology.queues[0], count == 1);
    consumers[i].latency = &b->unused;
    consumers[i].measure_from_ns = UINT64_MAX;
  }
  struct pollfd wait[CLIENTS_MAX];
  while (received(consumers, count) < messages) {
    for (int i = 0; i < count; i++) {
      wait[i] = (struct pollfd){.fd = consumers[i].connection.fd, .events = POLLIN};
      if (consumers[i].want_write) wait[i].events |= POLLOUT;
    }
    poll(wait, (nfds_t)count, 100);
    for (int i = 0; i < count; i++) {
      if (wait[i].revents & POLLOUT) consumer_flush(&consumers[i]);
      if (wait[i].revents & (POLLIN | POLLHUP | POLLERR)) consumer_read(&consumers[i]);
    }
    check_deadline(b, start_ns, messages, "draining the backlog");
  }
  struct backlog_result *result = b->result;
  result->drain_seconds = seconds_since(start_ns);
  result->consumed = received(consumers, count);
  for (int i = 0; i < count; i++) {
    result->gaps += consumers[i].gaps;
    result->reordered += consumers[i].reordered;
    connection_close(&consumers[i].connection);
    free(consumers[i].next_sequence);
  }
  free(consumers);
}

/* What a broker needs for any work at all is not the price of a waiting message. */
static void trial(struct backlog *b) {
  uint64_t messages = b->options->backlog < TRIAL_MESSAGES_MAX ? b->options->backlog : TRIAL_MESSAGES_MAX;
  fill(b, messages);
  drain(b, messages);
  pause_seconds(b->options->warmup_seconds);
}

static void measure(struct backlog *b) {
  const struct options *options = b->options;
  struct backlog_result *result = b->result;
  struct process_tree tree = process_tree_find(&options->broker);
  process_tree_reset_peak(&tree);
  result->before = process_tree_usage(&tree);
  double own = process_own_cpu_seconds(), machine = process_machine_cpu_seconds();
  uint64_t start_ns = now_ns();
  fill(b, options->backlog);
  if (options->backlog > 0) pause_seconds(options->seconds);
  result->full = process_tree_usage(&tree);
  process_tree_reset_peak(&tree);
  if (!options->keep) drain(b, options->backlog);
  result->after = process_tree_usage(&tree);
  result->seconds = seconds_since(start_ns);
  result->own_cpu_seconds = process_own_cpu_seconds() - own;
  result->machine_cpu_seconds = process_machine_cpu_seconds() - machine;
}

void backlog_run(const struct options *options, struct backlog_result *result) {
  static struct backlog b;
  b = (struct backlog){.options = options, .result = result};
  if (options->producers > CLIENTS_MAX || options->consumers > CLIENTS_MAX) die("at most %d of each", CLIENTS_MAX);
  topology_declare(&b.topology, options);
  result->found = b.topology.control.waiting;
  if (options->warmup_seconds > 0 && !options->keep) trial(&b);
  measure(&b);
  topology_delete(&b.topology);
}
