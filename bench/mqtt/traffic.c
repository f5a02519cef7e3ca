/* So many publishers to one topic, so many subscribers, perhaps beside many subscriptions that have nothing to do with it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "work.h"

enum { WINDOW = 100, BURST = 64 };
static const double OPEN_SECONDS_MAX = 10, BACKGROUND_SECONDS_MAX = 60;

static struct counts counts;

/* Flat out: fills what the socket takes; on a schedule: what is due. */
static void publish(struct client *client, const struct options *o, double rate, uint64_t began_ns) {
  char topic[32] = "bench/0123456789ab";
  if (client->out_used - client->out_from > CLIENT_OUT_BYTES / 2) return;
  uint64_t now = now_ns();
  uint64_t due = rate > 0 ? (uint64_t)((double)(now - began_ns) * rate / 1e9) : UINT64_MAX;
  for (int i = 0; i < BURST && client->sent < due && (o->qos == 0 || client->window > 0); i++) {
    if (o->topics > 1) snprintf(topic, sizeof topic, "bench/%d", (int)(client->sent % (uint64_t)o->topics));
    if (!client_publish(client, topic, o->qos, false, o->size, rate > 0 || (client->sent & 63) == 0 ? now : 0)) return;
    counts.published++;
  }
}

/* A third each: far from the traffic's topics, below them, and beside them wherever they begin. */
static void background_filter(char *filter, size_t size, int i) {
  static const char *const kinds[] = {"a/%d/+/c", "bench/%d/x/#", "+/%d/c"};
  snprintf(filter, size, kinds[i % 3], i / 3);
}

static void subscribe_background(struct client *client, const struct options *o, int of) {
  char filter[64];
  for (int i = of; i < o->background; i += o->background_clients) {
    background_filter(filter, sizeof filter, i);
    while (!client_subscribe(client, filter, 0)) client_settle(client, &counts, BACKGROUND_SECONDS_MAX);
    if (client->subacks_due >= WINDOW) client_settle(client, &counts, BACKGROUND_SECONDS_MAX);
  }
  client_settle(client, &counts, BACKGROUND_SECONDS_MAX);
}

static void open_background(const struct options *o, struct client *clients, int poll) {
  for (int i = 0; i < o->background_clients; i++) {
    char id[32];
    snprintf(id, sizeof id, "background%d", i);
    clients[i].version = o->version;
    client_connect(&clients[i], "127.0.0.1", o->port, id);
    client_settle(&clients[i], &counts, OPEN_SECONDS_MAX);
    subscribe_background(&clients[i], o, i);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};
    epoll_ctl(poll, EPOLL_CTL_ADD, clients[i].fd, &event);
  }
}

/* One after the other: the backlog of a listener is not what is measured. */
static void open_clients(const struct options *o, struct client *clients, int total, int poll) {
  for (int i = 0; i < total; i++) {
    char id[32];
    snprintf(id, sizeof id, "load%d", i);
    clients[i].is_subscriber = i < o->subscribers;
    clients[i].window = WINDOW;
    clients[i].version = o->version;
    client_connect(&clients[i], "127.0.0.1", clients[i].is_subscriber ? o->subscribe_port : o->port, id);
    if (clients[i].is_subscriber) client_subscribe(&clients[i], o->filter, o->qos);
    client_settle(&clients[i], &counts, OPEN_SECONDS_MAX);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};
    epoll_ctl(poll, EPOLL_CTL_ADD, clients[i].fd, &event);
  }
}

int traffic(const struct options *o) {
  double rate = o->rate / (o->publishers > 0 ? o->publishers : 1);
  int total = o->publishers + o->subscribers;
  struct client *clients = calloc((size_t)total, sizeof *clients);
  struct client *others = calloc((size_t)o->background_clients, sizeof *others);
  int poll = epoll_create1(0);
  struct process_tree tree = process_tree_find(&o->pids);
  uint64_t rss_before = process_tree_usage(&tree).rss_bytes;
  uint64_t subscribe_from = now_ns();
  if (o->background > 0) open_background(o, others, poll);
  double subscribe_seconds = (double)(now_ns() - subscribe_from) / 1e9;
  uint64_t rss_background = process_tree_usage(&tree).rss_bytes;
  open_clients(o, clients, total, poll);
  uint64_t began = now_ns(), from = began + (uint64_t)(o->warmup * 1e9), until = from + (uint64_t)(o->seconds * 1e9);
  uint64_t rss_open = process_tree_usage(&tree).rss_bytes;
  struct counts start = {0};
  double cpu_start = 0;
  struct epoll_event events[256];
  for (uint64_t now = began; now < until; now = now_ns()) {
    if (!counts.is_measured && now >= from) {
      start = counts;
      cpu_start = process_tree_usage(&tree).cpu_seconds;
      counts.is_measured = true;
      memset(&counts.latency, 0, sizeof counts.latency);
    }
    bool is_busy = false;
    for (int i = o->subscribers; i < total; i++) {
      publish(&clients[i], o, rate, began);
      if (!client_flush(&clients[i]) && rate == 0 && clients[i].window > 0) is_busy = true;
    }
    int ready = epoll_wait(poll, events, 256, is_busy ? 0 : 1);
    for (int i = 0; i < ready; i++) {
      struct client *client = events[i].data.ptr;
      client_read(client, &counts);
      client_flush(client);
    }
  }
  struct process_usage usage = process_tree_usage(&tree);
  int copies = o->is_shared ? (o->subscribers > 0) : o->subscribers;
  printf("{\"publishedPerSecond\":%.0f,\"consumedPerSecond\":%.0f,\"acknowledgedPerSecond\":%.0f,",
         (double)(counts.published - start.published) / o->seconds, (double)(counts.consumed - start.consumed) / o->seconds,
         (double)(counts.acknowledged - start.acknowledged) / o->seconds);
  print_latency("latencyNs", &counts.latency);
  printf(",\"cpuSeconds\":%.2f,\"rssBytes\":%" PRIu64 ",\"rssBytesPerConnection\":%.0f", usage.cpu_seconds - cpu_start,
         usage.rss_bytes, (double)((int64_t)rss_open - (int64_t)rss_background) / total);
  if (o->background > 0)
    printf(",\"subscribesPerSecond\":%.0f,\"rssBytesPerSubscription\":%.0f", o->background / subscribe_seconds,
           (double)((int64_t)rss_background - (int64_t)rss_before) / o->background);
  printf(",\"underWay\":%" PRId64 "}\n", copies == 0 ? 0 : (int64_t)(counts.published * (uint64_t)copies) - (int64_t)counts.consumed);
  return 0;
}
