/*
 * Very many clients connect, so many at a time, and stay; who is refused comes again. Beside them a publisher and a subscriber that are
 * there already have their messages on a schedule: what these wait meanwhile is what a storm does to others.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "work.h"

static const double SECONDS_MAX = 60, OPEN_SECONDS_MAX = 10;

static struct counts counts;


static void come(struct client *client, const struct options *o, int i, int poll) {
  char id[32];
  snprintf(id, sizeof id, "storm%d", i);
  client->may_be_refused = true;
  client->version = o->version;
  client_connect(client, "127.0.0.1", o->port, id);
  client_flush(client);
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = client};
  epoll_ctl(poll, EPOLL_CTL_ADD, client->fd, &event);
}

static void open_pair(struct client *pair, const struct options *o, int poll) {
  for (int i = 0; i < 2; i++) {
    pair[i].version = o->version;
    client_connect(&pair[i], "127.0.0.1", o->port, i == 0 ? "hears" : "says");
    if (i == 0) client_subscribe(&pair[i], "bench/+", 0);
    client_settle(&pair[i], &counts, OPEN_SECONDS_MAX);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &pair[i]};
    epoll_ctl(poll, EPOLL_CTL_ADD, pair[i].fd, &event);
  }
}

static void say(struct client *client, const struct options *o, uint64_t began_ns) {
  uint64_t now = now_ns(), due = (uint64_t)((double)(now - began_ns) * o->rate / 1e9);
  while (client->sent < due && client_publish(client, "bench/pair", 0, false, o->size, began_ns + (uint64_t)((double)client->sent / o->rate * 1e9)))
    counts.published++;
  client_flush(client);
}

/* The pair for as long as is asked for, or until nobody is left to come in. */
int storm(const struct options *o) {
  struct client *clients = calloc((size_t)o->connections, sizeof *clients), pair[2] = {0};
  int *again = calloc((size_t)o->connections, sizeof *again); /* who comes next: a ring, by number */
  uint64_t *due_ns = calloc((size_t)o->connections, sizeof *due_ns);
  struct histogram *before = calloc(1, sizeof *before);
  int poll = epoll_create1(0);
  struct process_tree tree = process_tree_find(&o->pids);
  open_pair(pair, o, poll);
  counts.is_measured = true;
  uint64_t began = now_ns(), from = began + (uint64_t)(o->warmup * 1e9), until = from + (uint64_t)(SECONDS_MAX * 1e9), firstSecond = 0;
  uint64_t rss_before = process_tree_usage(&tree).rss_bytes;
  int under_way = 0, open = 0, refused = 0, ring_from = 0, ring_count = o->connections;
  for (int i = 0; i < o->connections; i++) again[i] = i;
  struct epoll_event events[256];
  bool has_begun = false;
  uint64_t now = began;
  for (; open < o->connections && now < until; now = now_ns()) {
    if (!has_begun && now >= from) {
      has_begun = true;
      *before = counts.latency;
      memset(&counts.latency, 0, sizeof counts.latency);
    }
    say(&pair[1], o, began);
    for (int burst = 0; has_begun && burst < 16 && under_way < o->concurrent && ring_count > 0 && due_ns[ring_from] <= now; burst++) {
      int i = again[ring_from];
      ring_from = (ring_from + 1) % o->connections;
      ring_count--;
      under_way++;
      come(&clients[i], o, i, poll);
    }
    int ready = epoll_wait(poll, events, 256, 1);
    for (int e = 0; e < ready; e++) {
      struct client *client = events[e].data.ptr;
      bool was_open = client->is_open;
      if (client->in == NULL) continue;
      client_flush(client);
      client_read(client, &counts);
      if (client->may_be_refused && client->is_open && !was_open) {
        under_way--;
        open++;
        if (now < from + 1000000000u) firstSecond++;
      } else if (client->may_be_refused && client->is_refused) {
        under_way--;
        refused++;
        int at = (ring_from + ring_count++) % o->connections;
        again[at] = (int)(client - clients);
        due_ns[at] = now + (uint64_t)o->again_ms * 1000000u;
        client_drop(client);
      }
    }
  }
  double seconds = (double)(now - from) / 1e9;
  printf("{\"open\":%d,\"refused\":%d,\"seconds\":%.2f,\"connectsPerSecond\":%.0f,\"openInFirstSecond\":%" PRIu64 ",", open, refused,
         seconds, open / seconds, firstSecond);
  print_latency("latencyNs", &counts.latency);
  printf(",");
  print_latency("calmNs", before);
  printf(",\"rssBytesPerConnection\":%.0f}\n",
         (double)((int64_t)process_tree_usage(&tree).rss_bytes - (int64_t)rss_before) / (open > 0 ? open : 1));
  return 0;
}
