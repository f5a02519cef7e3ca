/* What the load generator is asked to do; see `usage` in options.c. */
#ifndef BENCH_MQTT_OPTIONS_H
#define BENCH_MQTT_OPTIONS_H

#include <stdbool.h>

#include "../load/process.h"

struct options {
  int port, subscribe_port;
  int version;
  int publishers, subscribers, qos, size;
  const char *filter;
  bool is_shared; /* each message goes to one subscriber */
  double warmup, seconds, rate;
  int background, background_clients;
  int topics;
  bool without_put, without_replay;
  int connections, concurrent, again_ms;
  struct process_roots pids;
};

/* Ends the program when there is something that it does not know. */
struct options options_read(int argc, char **argv);

#endif
