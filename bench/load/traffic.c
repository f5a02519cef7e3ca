#include "traffic.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>

#include "consumer.h"
#include "publisher.h"
#include "topology.h"

enum { EVENTS_MAX = 256, SMALL_TURN_BYTES = 64 * 1024, GATHER_NS = 200000 };
static const double CONFIRM_SECONDS = 10, CLOSE_SECONDS = 20, DRAIN_SECONDS = 10;

struct traffic {
  const struct options *options;
  struct options at_home;      /* the same, for who declares */
  struct options at_consumers; /* and for who consumes */
  struct topology topology;
  struct publisher *publishers;
  struct consumer *consumers;
  struct traffic_result *result;
  int epoll;
  uint64_t stop_ns; /* end of the measured window: nothing is meant to be sent later */
};

struct counts {
  uint64_t at_ns, published, consumed, confirmed;
};

static volatile sig_atomic_t interrupted;
static void on_interrupt(int signal_number) { interrupted = signal_number; }

/* Which routing keys producer i uses: its share of the queues, or one of them when there are more producers. */
static void open_publisher(struct traffic *t, int i) {
  int queues = t->topology.queue_count, producers = t->options->producers;
  char **keys = calloc((size_t)queues + 1, sizeof *keys);
  uint32_t count = 0;
  bool every_queue_by_one = t->options->exchange == EXCHANGE_FANOUT || queues == 0;
  if (every_queue_by_one) keys[count++] = t->topology.queues[0];
  else
    for (int queue = i % queues; queue < queues; queue += producers) keys[count++] = t->topology.queues[queue];
  publisher_open(&t->publishers[i], t->options, (uint32_t)i, t->topology.exchange, keys, count);
  free(keys);
  t->publishers[i].confirm_latency = &t->result->confirm_latency;
  t->publishers[i].send_lag = &t->result->send_lag;
}

static void open_consumer(struct traffic *t, int i) {
  int queues = t->topology.queue_count;
  consumer_open(&t->consumers[i], &t->at_consumers, t->topology.queues[i % queues], t->options->consumers <= queues);
  t->consumers[i].latency = &t->result->latency;
}

/* Producers come first in the numbering of the events. */
static struct connection *connection_of(const struct traffic *t, int number) {
  int producers = t->options->producers;
  return number < producers ? &t->publishers[number].connection : &t->consumers[number - producers].connection;
}

static void watch(struct traffic *t, int operation, int number) {
  int producers = t->options->producers;
  struct epoll_event event = {.data.u32 = (uint32_t)number};
  bool writes = number < producers ? t->publishers[number].want_write : t->consumers[number - producers].want_write;
  event.events = EPOLLIN | (writes ? (uint32_t)EPOLLOUT : 0);
  int fd = connection_of(t, number)->fd;
  if (epoll_ctl(t->epoll, operation, fd, &event) != 0) die("epoll_ctl: %d", errno);
}

static void open_all(struct traffic *t) {
  const struct options *options = t->options;
  t->at_home = t->at_consumers = *options;
  t->at_home.port = options->home_port;
  t->at_consumers.port = options->consumer_port;
  topology_declare(&t->topology, &t->at_home);
  t->publishers = calloc((size_t)options->producers + 1, sizeof *t->publishers);
  t->consumers = calloc((size_t)options->consumers + 1, sizeof *t->consumers);
  t->epoll = epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < options->consumers; i++) open_consumer(t, i);
  for (int i = 0; i < options->producers; i++) open_publisher(t, i);
  for (int i = 0; i < options->producers + options->consumers; i++) watch(t, EPOLL_CTL_ADD, i);
}

static void pump(struct traffic *t, int i, uint64_t now) {
  struct publisher *p = &t->publishers[i];
  bool wanted = p->want_write;
  publisher_pump(p, now, t->stop_ns);
  if (p->closing) publisher_finish(p);
  if (p->want_write != wanted) watch(t, EPOLL_CTL_MOD, i);
}

static void on_event(struct traffic *t, const struct epoll_event *event) {
  int number = (int)event->data.u32, producers = t->options->producers;
  if (number < producers) {
    struct publisher *p = &t->publishers[number];
    if (event->events & ~(uint32_t)EPOLLOUT) publisher_read(p);
    if (p->closed) epoll_ctl(t->epoll, EPOLL_CTL_DEL, p->connection.fd, NULL);
    else pump(t, number, now_ns());
    return;
  }
  struct consumer *c = &t->consumers[number - producers];
  bool wanted = c->want_write;
  if (event->events & EPOLLOUT) consumer_flush(c);
  if (event->events & ~(uint32_t)EPOLLOUT) consumer_read(c);
  if (c->want_write != wanted) watch(t, EPOLL_CTL_MOD, number);
}

/*
 * A broker that writes in small pieces would wake us for each of them, and our wake-ups would take the processor time
 * that it needs itself (RabbitMQ's fan-out doubles on two cores without them). Flat out, where nothing waits for an
 * answer of ours, a turn that moved little is followed by a pause in which more gathers.
 */
static void gather(const struct traffic *t, uint64_t moved_bytes) {
  const struct options *options = t->options;
  bool open_loop = options->rate_per_second == 0 && options->confirm_window == 0 && options->prefetch == 0;
  struct timespec pause = {.tv_nsec = GATHER_NS};
  if (open_loop && moved_bytes < SMALL_TURN_BYTES) nanosleep(&pause, NULL);
}

/* Waits for events at most until `until_ns`, to the nanosecond, and handles them. */
static void turn(struct traffic *t, uint64_t until_ns) {
  struct epoll_event events[EVENTS_MAX];
  uint64_t now = now_ns(), wait_ns = until_ns > now ? until_ns - now : 0;
  struct timespec wait = {.tv_sec = (time_t)(wait_ns / 1000000000u), .tv_nsec = (long)(wait_ns % 1000000000u)};
  int count = epoll_pwait2(t->epoll, events, EVENTS_MAX, &wait, NULL);
  if (count < 0 && errno != EINTR) die("epoll_pwait2: %d", errno);
  uint64_t moved_bytes = 0;
  for (int i = 0; i < count; i++) {
    struct connection *c = connection_of(t, (int)events[i].data.u32);
    uint64_t before = c->moved_bytes;
    on_event(t, &events[i]);
    moved_bytes += c->moved_bytes - before;
  }
  if (count > 0) gather(t, moved_bytes);
}

static uint64_t next_due_ns(const struct traffic *t) {
  uint64_t due = UINT64_MAX;
  for (int i = 0; i < t->options->producers; i++) {
    const struct publisher *p = &t->publishers[i];
    /* One that waits for its socket or for a confirm is woken by that. */
    bool window_full = p->pending_ns && p->encoded - p->confirmed >= t->options->confirm_window;
    bool held = p->want_write || p->closing || window_full;
    if (!held && publisher_next_due_ns(p) < due) due = publisher_next_due_ns(p);
  }
  return due;
}

static void run_until(struct traffic *t, uint64_t end_ns) {
  bool scheduled = t->options->rate_per_second > 0;
  for (uint64_t now; (now = now_ns()) < end_ns && !interrupted;) {
    uint64_t due = UINT64_MAX;
    if (scheduled) {
      for (int i = 0; i < t->options->producers; i++)
        if (publisher_next_due_ns(&t->publishers[i]) <= now && !t->publishers[i].want_write) pump(t, i, now);
      due = next_due_ns(t);
    }
    if (scheduled && t->options->spin) due = now;
    turn(t, due < end_ns ? due : end_ns);
  }
}

static struct counts count(const struct traffic *t) {
  struct counts counts = {.at_ns = now_ns()};
  for (int i = 0; i < t->options->producers; i++) {
    counts.published += publisher_sent(&t->publishers[i]);
    counts.confirmed += t->publishers[i].confirmed;
  }
  for (int i = 0; i < t->options->consumers; i++) counts.consumed += t->consumers[i].received;
  return counts;
}

static void start(struct traffic *t, uint64_t start_ns, uint64_t measure_ns) {
  const struct options *options = t->options;
  for (int i = 0; i < options->consumers; i++) t->consumers[i].measure_from_ns = measure_ns;
  for (int i = 0; i < options->producers; i++) {
    struct publisher *p = &t->publishers[i];
    p->measure_from_ns = measure_ns;
    if (options->rate_per_second > 0) {
      p->interval_ns = 1e9 * options->producers / options->rate_per_second;
      p->first_ns = (double)start_ns + i * 1e9 / options->rate_per_second;
    }
    pump(t, i, start_ns);
  }
}

static bool all_confirmed(const struct traffic *t) {
  for (int i = 0; i < t->options->producers; i++) {
    const struct publisher *p = &t->publishers[i];
    if (p->batch_sent < p->batch_length || (p->pending_ns && p->confirmed < p->encoded)) return false;
  }
  return true;
}

static bool all_closed(const struct traffic *t) {
  for (int i = 0; i < t->options->producers; i++)
    if (!t->publishers[i].closed) return false;
  return true;
}

static void turn_until(struct traffic *t, bool (*done)(const struct traffic *), double seconds, const char *what) {
  uint64_t deadline_ns = now_ns() + (uint64_t)(seconds * 1e9);
  while (!done(t)) {
    if (now_ns() > deadline_ns) die("%s took longer than %.0f s", what, seconds);
    turn(t, now_ns() + 50000000);
  }
}

static uint64_t expected_deliveries(const struct traffic *t, uint64_t published) {
  const struct options *options = t->options;
  if (options->consumers < options->queues || options->consumers == 0) return 0;
  return options->exchange == EXCHANGE_FANOUT ? published * (uint64_t)options->queues : published;
}

/* What was published before the end still arrives, and counts for the latency: a stall at the end is not left out. */
static void finish(struct traffic *t) {
  struct traffic_result *result = t->result;
  turn_until(t, all_confirmed, CONFIRM_SECONDS, "writing and confirming what was published");
  for (int i = 0; i < t->options->producers; i++) {
    publisher_finish(&t->publishers[i]);
    if (!t->publishers[i].closed) watch(t, EPOLL_CTL_MOD, i);
  }
  turn_until(t, all_closed, CLOSE_SECONDS, "closing the producers");
  result->published_total = count(t).published;
  result->expected_total = expected_deliveries(t, result->published_total);
  uint64_t deadline_ns = now_ns() + (uint64_t)(DRAIN_SECONDS * 1e9);
  while (count(t).consumed < result->expected_total && now_ns() < deadline_ns) turn(t, now_ns() + 50000000);
  result->consumed_total = count(t).consumed;
  result->drained = result->consumed_total >= result->expected_total;
}

static void collect(struct traffic *t) {
  struct traffic_result *result = t->result;
  uint64_t stamped = 0;
  for (int i = 0; i < t->options->producers; i++) {
    result->nacked += t->publishers[i].nacked;
    result->returned += t->publishers[i].returned;
    result->blocked += t->publishers[i].blocked;
  }
  for (int i = 0; i < t->options->consumers; i++) {
    result->gaps += t->consumers[i].gaps;
    result->reordered += t->consumers[i].reordered;
    stamped += t->consumers[i].stamped;
  }
  /* A sink's flood has nothing to do with what was published. */
  if (t->options->size_bytes >= sizeof(struct stamp) && stamped == 0) result->expected_total = 0;
}

static void close_all(struct traffic *t) {
  for (int i = 0; i < t->options->consumers; i++) connection_close(&t->consumers[i].connection);
  topology_delete(&t->topology);
}

static void measure(struct traffic *t) {
  const struct options *options = t->options;
  struct traffic_result *result = t->result;
  struct process_tree tree = process_tree_find(&options->broker);
  uint64_t start_ns = now_ns(), measure_ns = start_ns + (uint64_t)(options->warmup_seconds * 1e9);
  t->stop_ns = measure_ns + (uint64_t)(options->seconds * 1e9);
  start(t, start_ns, measure_ns);
  run_until(t, measure_ns);
  result->peak_is_of_window = process_tree_reset_peak(&tree);
  result->broker_start = process_tree_usage(&tree);
  double own = process_own_cpu_seconds(), machine = process_machine_cpu_seconds();
  struct counts before = count(t);
  run_until(t, t->stop_ns);
  struct counts after = count(t);
  result->own_cpu_seconds = process_own_cpu_seconds() - own;
  result->machine_cpu_seconds = process_machine_cpu_seconds() - machine;
  result->broker_end = process_tree_usage(&tree);
  t->stop_ns = after.at_ns < t->stop_ns ? after.at_ns : t->stop_ns;
  result->seconds = (double)(after.at_ns - before.at_ns) / 1e9;
  result->published = after.published - before.published;
  result->consumed = after.consumed - before.consumed;
  result->confirmed = after.confirmed - before.confirmed;
}

void traffic_run(const struct options *options, struct traffic_result *result) {
  struct traffic t = {.options = options, .result = result};
  *result = (struct traffic_result){0};
  signal(SIGINT, on_interrupt);
  signal(SIGTERM, on_interrupt);
  prctl(PR_SET_TIMERSLACK, 1); /* wake when asked to, not up to 50 us later */
  open_all(&t);
  measure(&t);
  finish(&t);
  collect(&t);
  close_all(&t);
}
