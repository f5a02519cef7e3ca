/*
 * Load for an MQTT broker, from one thread: so many publishers to one topic each, so many subscribers.
 *   load PORT PUBLISHERS SUBSCRIBERS QOS SIZE WARMUP SECONDS RATE PID
 * RATE 0: flat out, bounded by TCP and by a window of 100 with QoS 1 and 2. Every subscriber hears every publisher. Prints JSON.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client.h"

enum { WINDOW = 100, BURST = 64 };

static struct counts counts;

static double cpu_seconds_of(int pid) {
  char path[64], line[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  size_t got = fread(line, 1, sizeof line - 1, file);
  fclose(file);
  line[got] = 0;
  unsigned long user = 0, system = 0;
  sscanf(strrchr(line, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
  return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static uint64_t rss_bytes_of(int pid) {
  char path[64];
  unsigned long pages = 0;
  snprintf(path, sizeof path, "/proc/%d/statm", pid);
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  if (fscanf(file, "%*u %lu", &pages) != 1) pages = 0;
  fclose(file);
  return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Flat out: fills what the socket takes; on a schedule: what is due. */
static void publish(struct client *client, const char *topic, int qos, int size, double rate, uint64_t began_ns) {
  if (client->out_used - client->out_from > CLIENT_OUT_BYTES / 2) return;
  uint64_t now = now_ns();
  uint64_t due = rate > 0 ? (uint64_t)((double)(now - began_ns) * rate / 1e9) : UINT64_MAX;
  for (int i = 0; i < BURST && client->sent < due && (qos == 0 || client->window > 0); i++) {
    if (!client_publish(client, topic, qos, size, rate > 0 || (client->sent & 63) == 0 ? now : 0)) return;
    counts.published++;
  }
}

int main(int argc, char **argv) {
  if (argc != 10) return fprintf(stderr, "usage: load PORT PUBLISHERS SUBSCRIBERS QOS SIZE WARMUP SECONDS RATE PID\n"), 2;
  int port = atoi(argv[1]), publishers = atoi(argv[2]), subscribers = atoi(argv[3]), qos = atoi(argv[4]);
  int size = atoi(argv[5]), pid = atoi(argv[9]);
  double warmup = atof(argv[6]), seconds = atof(argv[7]), rate = atof(argv[8]) / (publishers > 0 ? publishers : 1);
  int total = publishers + subscribers;
  struct client *clients = calloc((size_t)total, sizeof *clients);
  int poll = epoll_create1(0);
  uint64_t rss_before = rss_bytes_of(pid);
  for (int i = 0; i < total; i++) {
    char id[32];
    snprintf(id, sizeof id, "load%d", i);
    clients[i].is_subscriber = i < subscribers;
    clients[i].window = WINDOW;
    client_connect(&clients[i], "127.0.0.1", port, id);
    if (clients[i].is_subscriber) client_subscribe(&clients[i], "bench/+", qos);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
    epoll_ctl(poll, EPOLL_CTL_ADD, clients[i].fd, &event);
    client_flush(&clients[i]);
    /* One after the other: the backlog of a listener is not what is measured. */
    for (uint64_t limit = now_ns() + 10000000000u; !(clients[i].is_open && (!clients[i].is_subscriber || clients[i].is_subscribed));) {
      struct epoll_event one;
      epoll_wait(poll, &one, 1, 10);
      client_read(&clients[i], &counts);
      if (now_ns() > limit) return fprintf(stderr, "mqtt load: no answer to CONNECT\n"), 1;
    }
  }
  uint64_t began = now_ns(), from = began + (uint64_t)(warmup * 1e9), until = from + (uint64_t)(seconds * 1e9);
  uint64_t rss_open = rss_bytes_of(pid);
  struct counts start = {0};
  double cpu_start = 0;
  struct epoll_event events[256];
  char topic[] = "bench/0123456789ab";
  for (uint64_t now = began; now < until; now = now_ns()) {
    if (!counts.is_measured && now >= from) {
      start = counts;
      cpu_start = cpu_seconds_of(pid);
      counts.is_measured = true;
      memset(&counts.latency, 0, sizeof counts.latency);
    }
    bool is_busy = false;
    for (int i = subscribers; i < total; i++) {
      publish(&clients[i], topic, qos, size, rate, began);
      if (!client_flush(&clients[i]) && rate == 0 && clients[i].window > 0) is_busy = true;
    }
    int ready = epoll_wait(poll, events, 256, is_busy ? 0 : 1);
    for (int i = 0; i < ready; i++) {
      struct client *client = &clients[events[i].data.u32];
      client_read(client, &counts);
      client_flush(client);
    }
  }
  double cpu = cpu_seconds_of(pid) - cpu_start;
  struct rusage own;
  getrusage(RUSAGE_SELF, &own);
  double consumed = (double)(counts.consumed - start.consumed) / seconds;
  printf("{\"publishedPerSecond\":%.0f,\"consumedPerSecond\":%.0f,\"acknowledgedPerSecond\":%.0f",
         (double)(counts.published - start.published) / seconds, consumed,
         (double)(counts.acknowledged - start.acknowledged) / seconds);
  printf(",\"latencyNs\":{\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64 "}",
         histogram_percentile(&counts.latency, 0.5), histogram_percentile(&counts.latency, 0.99), counts.latency.max_ns);
  printf(",\"cpuSeconds\":%.2f,\"rssBytes\":%" PRIu64 ",\"rssBytesPerConnection\":%.0f,\"lost\":%" PRId64 "}\n", cpu, rss_bytes_of(pid),
         (double)((int64_t)rss_open - (int64_t)rss_before) / total,
         subscribers == 0 ? 0 : (int64_t)(counts.published * (uint64_t)subscribers) - (int64_t)counts.consumed);
  return 0;
}
