/*
 * Load for MQTT brokers that are one cluster, from one thread.
 *   mqtt-cluster flow PUBLISHER_PORT SUBSCRIBER_PORT QOS SIZE WARMUP SECONDS RATE PIDS
 *     One publisher to one subscriber whose session is kept. RATE 0: flat out, bounded by TCP and by a window of 100 with QoS 1 and 2.
 *   mqtt-cluster connects PORTS COUNT UNDER_WAY KEPT PIDS
 *     So many clients come, so many at a time, spread over the ports; then all of them at once to another node each, while they still are on
 *     the first one. Beside them one client publishes 200 messages of QoS 1 a second to another.
 * PORTS and PIDS are separated by commas. Prints JSON.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "mqtt/client.h"

enum { WINDOW = 100, BURST = 64, LIST_MAX = 8, BESIDE_RATE = 200, CONNECT_FLAGS_AT = 9, SECONDS_MAX = 120 };

struct list {
  int count, values[LIST_MAX];
};

static struct counts counts;
static struct list pids;
static int poller;

static struct list list_of(const char *text) {
  struct list list = {0};
  for (char *end = (char *)text; *end != 0 && list.count < LIST_MAX; end += *end == ',') list.values[list.count++] = (int)strtol(end, &end, 10);
  return list;
}

static double cpu_seconds(void) {
  double sum = 0;
  for (int i = 0; i < pids.count; i++) {
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pids.values[i]);
    FILE *file = fopen(path, "r");
    if (file == NULL) continue;
    size_t got = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[got] = 0;
    unsigned long user = 0, system = 0;
    sscanf(strrchr(line, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    sum += (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
  }
  return sum;
}

static double seconds_since(uint64_t from_ns) { return (double)(now_ns() - from_ns) / 1e9; }

static void begin(struct client *client, int port, const char *id, bool is_kept) {
  client->window = WINDOW;
  client_connect(client, "127.0.0.1", port, id);
  if (is_kept) client->out[CONNECT_FLAGS_AT] = 0;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
  epoll_ctl(poller, EPOLL_CTL_ADD, client->fd, &event);
}

/* Until CONNACK and SUBACK have come; false after ten seconds. */
static bool open_now(struct client *client, int port, const char *id, bool is_kept, const char *filter, int qos) {
  begin(client, port, id, is_kept);
  client->is_subscriber = filter != NULL;
  if (filter != NULL) client_subscribe(client, filter, qos);
  client_flush(client);
  for (uint64_t from = now_ns(); seconds_since(from) < 10;) {
    if (client->is_open && (filter == NULL || client->subacks_due == 0)) return true;
    client_read(client, &counts);
    client_flush(client);
    usleep(500);
  }
  fprintf(stderr, "mqtt-cluster: no answer to CONNECT or SUBSCRIBE\n");
  return false;
}

/* The session ends; whoever publishes to it would else do that for ever. */
static void forget(int port, const char *id) {
  static struct client client;
  memset(&client, 0, sizeof client);
  if (open_now(&client, port, id, false, NULL, 0)) close(client.fd);
}

static void publish(struct client *client, const char *topic, int qos, int size, double rate, uint64_t began_ns) {
  if (client->out_used - client->out_from > CLIENT_OUT_BYTES / 2) return;
  uint64_t now = now_ns();
  uint64_t due = rate > 0 ? (uint64_t)((double)(now - began_ns) * rate / 1e9) : UINT64_MAX;
  for (int i = 0; i < BURST && client->sent < due && (qos == 0 || client->window > 0); i++) {
    if (!client_publish(client, topic, qos, false, size, now)) return;
    counts.published++;
  }
}

/* Flat out the publisher has to be looked at again at once: it waits for room in the socket, which nothing here tells. */
static void turn(int timeout_ms) {
  struct epoll_event events[256];
  int ready = epoll_wait(poller, events, 256, timeout_ms);
  for (int i = 0; i < ready; i++) {
    client_read(events[i].data.ptr, &counts);
    client_flush(events[i].data.ptr);
  }
}

static void print_latency(void) {
  printf("\"latencyNs\":{\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64 "}", histogram_percentile(&counts.latency, 0.5),
         histogram_percentile(&counts.latency, 0.99), counts.latency.max_ns);
}

static int flow(char **argv) {
  int qos = atoi(argv[2]), size = atoi(argv[3]);
  double warmup = atof(argv[4]), seconds = atof(argv[5]), rate = atof(argv[6]);
  static struct client publisher, subscriber;
  char from_id[32], to_id[32];
  snprintf(from_id, sizeof from_id, "flow-from%d", getpid());
  snprintf(to_id, sizeof to_id, "flow-to%d", getpid());
  if (!open_now(&subscriber, atoi(argv[1]), to_id, true, "bench/+", qos)) return 1;
  if (!open_now(&publisher, atoi(argv[0]), from_id, true, NULL, 0)) return 1;
  uint64_t began = now_ns(), from = began + (uint64_t)(warmup * 1e9), until = from + (uint64_t)(seconds * 1e9);
  struct counts start = {0};
  double cpu = 0;
  for (uint64_t now = began; now < until; now = now_ns()) {
    if (!counts.is_measured && now >= from) {
      start = counts;
      cpu = cpu_seconds();
      counts.is_measured = true;
    }
    publish(&publisher, "bench/0123456789ab", qos, size, rate, began);
    bool is_busy = !client_flush(&publisher) && rate == 0 && publisher.window > 0;
    turn(is_busy ? 0 : 1);
  }
  cpu = cpu_seconds() - cpu;
  double published = (double)(counts.published - start.published) / seconds, consumed = (double)(counts.consumed - start.consumed) / seconds;
  /* What is under way comes, or is lost: QoS 0 may be. */
  for (uint64_t last = now_ns(), seen = counts.consumed;
       (counts.consumed < counts.published || publisher.window < WINDOW) && seconds_since(last) < 5;) {
    client_flush(&publisher);
    turn(10);
    if (counts.consumed != seen) last = now_ns(), seen = counts.consumed;
  }
  printf("{\"publishedPerSecond\":%.0f,\"consumedPerSecond\":%.0f,\"cpuSeconds\":%.2f,\"cpuUsEach\":%.1f,\"missing\":%" PRId64 ",", published, consumed, cpu,
         cpu * 1e6 / (consumed * seconds + 1), (int64_t)counts.published - (int64_t)counts.consumed);
  print_latency();
  printf("}\n");
  close(subscriber.fd);
  close(publisher.fd);
  forget(atoi(argv[1]), to_id);
  forget(atoi(argv[0]), from_id);
  return 0;
}

/* Who is beside a storm. */
static struct client from_beside, to_beside;
static uint64_t beside_began;

static void go_on_beside(void) {
  publish(&from_beside, "beside/0123456789", 1, 64, BESIDE_RATE, beside_began);
  client_flush(&from_beside);
}

/* All come; returns how long it took. `shift`: to another node than before. */
static double come(struct client *clients, int count, int under_way, bool is_kept, const struct list *ports, int shift) {
  uint64_t from = now_ns();
  int begun = 0, open = 0, low = 0;
  memset(&counts.latency, 0, sizeof counts.latency);
  while (open < count && seconds_since(from) < SECONDS_MAX) {
    for (; begun < count && begun - open < under_way; begun++) {
      char id[32];
      snprintf(id, sizeof id, "storm%d-%d", getpid(), begun);
      begin(&clients[begun], ports->values[(begun + shift) % ports->count], id, is_kept);
      client_flush(&clients[begun]);
      if (begun % 16 == 0) go_on_beside();
    }
    go_on_beside();
    turn(1);
    while (low < begun && clients[low].is_open) low++;
    open = low;
    for (int i = low; i < begun; i++) open += clients[i].is_open;
  }
  if (open < count) fprintf(stderr, "mqtt-cluster: only %d of %d were let in within %d s\n", open, count, SECONDS_MAX), exit(1);
  return seconds_since(from);
}

static void let_go(struct client *clients, int count) {
  for (int i = 0; i < count; i++) {
    close(clients[i].fd);
    free(clients[i].in);
    free(clients[i].out);
  }
}

static int connects(char **argv) {
  struct list ports = list_of(argv[0]);
  int count = atoi(argv[1]), under_way = atoi(argv[2]);
  bool is_kept = atoi(argv[3]) != 0;
  struct client *first = calloc((size_t)count, sizeof *first), *second = calloc((size_t)count, sizeof *second);
  if (!open_now(&to_beside, ports.values[0], "beside-to", true, "beside/+", 1)) return 1;
  if (!open_now(&from_beside, ports.values[ports.count - 1], "beside-from", false, NULL, 0)) return 1;
  beside_began = now_ns();
  counts.is_measured = true;
  double cpu = cpu_seconds();
  double came = come(first, count, under_way, is_kept, &ports, 0);
  printf("{\"came\":{\"perSecond\":%.0f,", count / came);
  print_latency();
  /* What goes on behind CONNACK is part of it. */
  for (uint64_t from = now_ns(); seconds_since(from) < 2;) {
    go_on_beside();
    turn(1);
  }
  printf(",\"cpuUsEach\":%.0f},", (cpu_seconds() - cpu) * 1e6 / count);
  /* Whoever was there hears that somebody else is, and the broker hangs up. */
  for (int i = 0; i < count; i++) epoll_ctl(poller, EPOLL_CTL_DEL, first[i].fd, NULL);
  cpu = cpu_seconds();
  double again = come(second, count, under_way, is_kept, &ports, 1);
  printf("\"again\":{\"perSecond\":%.0f,", count / again);
  print_latency();
  for (uint64_t from = now_ns(); seconds_since(from) < 2;) {
    go_on_beside();
    turn(1);
  }
  printf(",\"cpuUsEach\":%.0f}}\n", (cpu_seconds() - cpu) * 1e6 / count);
  let_go(first, count);
  let_go(second, count);
  return 0;
}

int main(int argc, char **argv) {
  bool is_flow = argc == 10 && strcmp(argv[1], "flow") == 0, is_connects = argc == 7 && strcmp(argv[1], "connects") == 0;
  if (!is_flow && !is_connects) return fprintf(stderr, "usage: see the top of cluster.c\n"), 2;
  pids = list_of(argv[argc - 1]);
  poller = epoll_create1(0);
  return is_flow ? flow(argv + 2) : connects(argv + 2);
}
