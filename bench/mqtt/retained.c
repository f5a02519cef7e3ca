/*
 * Many retained topics, `sSITE/DEVICE/x`, 10,000 devices a site, and one `s0/DEVICE/y`: put by one client with QoS 1, then asked for with
 * wildcards by another, one after the other, while a third one pings: what it waits is how long the broker looks at nobody else.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "work.h"

enum { DEVICES = 10000, WINDOW = 1000 };
static const double OPEN_SECONDS_MAX = 10;
/* Without any progress. */
static const uint64_t SILENCE_NS_MAX = 20000000000u;
static const uint64_t PING_EVERY_NS = 1000000;

static struct counts counts;

static void topic_of(char *topic, size_t size, int i, int topics) {
  if (i == topics) snprintf(topic, size, "s0/%d/y", topics < DEVICES ? topics / 2 : DEVICES / 2);
  else snprintf(topic, size, "s%d/%d/x", i / DEVICES, i % DEVICES);
}

/* Reads, writes and pings for at most a millisecond. */
static void turn(int poll, struct client *worker, struct client *pinger) {
  static uint64_t pinged_ns;
  uint64_t now = now_ns();
  if (now - pinged_ns >= PING_EVERY_NS) {
    pinged_ns = now;
    client_ping(pinger);
  }
  bool is_left = client_flush(worker);
  client_flush(pinger);
  struct epoll_event events[2];
  int ready = epoll_wait(poll, events, 2, 1);
  for (int i = 0; i < ready; i++) {
    struct client *client = events[i].data.ptr;
    client_read(client, &counts);
    client_flush(client);
  }
  if (ready == 0 && is_left) client_flush(worker);
}

static void open_one(struct client *client, const struct options *o, int port, const char *id, int poll) {
  client->version = o->version;
  client->window = WINDOW;
  client_connect(client, "127.0.0.1", port, id);
  client_settle(client, &counts, OPEN_SECONDS_MAX);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
  epoll_ctl(poll, EPOLL_CTL_ADD, client->fd, &event);
}

static double put(const struct options *o, int poll, struct client *pinger) {
  struct client client = {0};
  open_one(&client, o, o->port, "put", poll);
  uint64_t from = now_ns(), heard_ns = from, heard = 0;
  char topic[64];
  for (int i = 0; counts.acknowledged < (uint64_t)o->topics + 1;) {
    for (; i <= o->topics && client.window > 0 && client.out_used < CLIENT_OUT_BYTES / 2; i++) {
      topic_of(topic, sizeof topic, i, o->topics);
      client_publish(&client, topic, 1, true, o->size, 0);
    }
    turn(poll, &client, pinger);
    errno = 0;
    uint64_t now = now_ns();
    if (counts.acknowledged > heard) heard_ns = now, heard = counts.acknowledged;
    if (now > heard_ns + SILENCE_NS_MAX) fail("the retained messages are not acknowledged");
  }
  double seconds = (double)(now_ns() - from) / 1e9;
  client_drop(&client);
  return seconds;
}

/* Until as many have come as are wanted. */
static void ask(const struct options *o, const char *name, const char *filter, uint64_t wanted, int poll, struct client *pinger) {
  struct client client = {0};
  open_one(&client, o, o->subscribe_port, "ask", poll);
  memset(&counts.pings, 0, sizeof counts.pings);
  uint64_t from = now_ns();
  client_subscribe(&client, filter, 0);
  while (client.heard < wanted) {
    turn(poll, &client, pinger);
    errno = 0;
    if (now_ns() > (client.heard > 0 ? client.last_ns : from) + SILENCE_NS_MAX) fail("not all retained messages came");
  }
  /* Who is looked at by nobody is not heard of before that is over. */
  for (uint64_t asked = counts.pings.count; counts.pings.count < asked + 2;) turn(poll, &client, pinger);
  printf(",\"%s\":{\"count\":%" PRIu64 ",\"firstMs\":%.2f,\"lastMs\":%.2f,", name, client.heard,
         (double)(client.first_ns - from) / 1e6, (double)(client.last_ns - from) / 1e6);
  print_latency("pingNs", &counts.pings);
  printf("}");
  client_drop(&client);
}

int retained(const struct options *o) {
  int poll = epoll_create1(0);
  struct process_tree tree = process_tree_find(&o->pids);
  uint64_t rss_before = process_tree_usage(&tree).rss_bytes;
  struct client pinger = {0};
  printf("{\"topics\":%d", o->topics);
  if (!o->without_put) {
    open_one(&pinger, o, o->port, "ping", poll);
    double seconds = put(o, poll, &pinger);
    printf(",\"putPerSecond\":%.0f,\"rssBytesPerTopic\":%.0f,", o->topics / seconds,
           (double)((int64_t)process_tree_usage(&tree).rss_bytes - (int64_t)rss_before) / o->topics);
    print_latency("putPingNs", &counts.pings);
    client_drop(&pinger);
  }
  if (!o->without_replay) {
    struct client other = {0};
    open_one(&other, o, o->subscribe_port, "ping", poll);
    uint64_t sites = (uint64_t)(o->topics + DEVICES - 6) / DEVICES;
    ask(o, "narrow", "+/5/x", sites, poll, &other);
    ask(o, "needle", "+/+/y", 1, poll, &other);
    ask(o, "all", "#", (uint64_t)o->topics + 1, poll, &other);
  }
  printf(",\"rssBytes\":%" PRIu64 "}\n", process_tree_usage(&tree).rss_bytes);
  return 0;
}
