#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "load traffic|retained|storm --port PORT [--pid PID[,PID...]] [--version 4|5], and prints JSON\n"
    "  traffic: publishers and subscribers of one topic\n"
    "    --publishers N --subscribers N --qos Q --size BYTES --warmup S --seconds S\n"
    "    --rate N        messages a second of all publishers; 0: flat out, bounded by TCP and by a window of 100 with QoS 1 and 2\n"
    "    --topics N      each publisher takes them in turn (1)\n"
    "    --filter F      what subscribers ask for (bench/+); with --shared each message goes to one of them\n"
    "    --background N  subscriptions that match nothing of it, of --background-clients N clients\n"
    "  retained: --topics N messages of --size are put with QoS 1, then subscribed to with wildcards\n"
    "    --subscribe-port PORT  where, if elsewhere; --without-put, --without-replay: only the other half\n"
    "  storm: --connections N connect, --concurrent N at a time, beside a publisher and a subscriber at --rate\n"
    "    --again MS      who is refused comes again after so long\n";

static void refuse(const char *what) {
  fprintf(stderr, "mqtt load: %s\n%s", what, usage);
  exit(2);
}

static void read_pids(struct process_roots *pids, char *text) {
  for (char *part = strtok(text, ","); part != NULL && pids->count < PROCESS_ROOTS_MAX; part = strtok(NULL, ","))
    pids->pids[pids->count++] = atoi(part);
}

/* True when the option takes no value. */
static bool read_flag(struct options *o, const char *name) {
  if (strcmp(name, "--shared") == 0) o->is_shared = true;
  else if (strcmp(name, "--without-put") == 0) o->without_put = true;
  else if (strcmp(name, "--without-replay") == 0) o->without_replay = true;
  else return false;
  return true;
}

struct options options_read(int argc, char **argv) {
  struct options o = {.version = 4, .publishers = 1, .subscribers = 1, .size = 64, .filter = "bench/+", .warmup = 2, .seconds = 5,
                      .background_clients = 1, .topics = 1, .connections = 1000, .concurrent = 100, .again_ms = 1000};
  const struct { const char *name; int *at; } numbers[] = {
      {"--port", &o.port}, {"--subscribe-port", &o.subscribe_port}, {"--version", &o.version}, {"--publishers", &o.publishers},
      {"--subscribers", &o.subscribers}, {"--qos", &o.qos}, {"--size", &o.size}, {"--background", &o.background},
      {"--background-clients", &o.background_clients}, {"--topics", &o.topics}, {"--connections", &o.connections},
      {"--concurrent", &o.concurrent}, {"--again", &o.again_ms}};
  const struct { const char *name; double *at; } reals[] = {{"--warmup", &o.warmup}, {"--seconds", &o.seconds}, {"--rate", &o.rate}};
  for (int i = 2; i < argc; i++) {
    if (read_flag(&o, argv[i])) continue;
    const char *name = argv[i];
    char *value = i + 1 < argc ? argv[++i] : NULL;
    if (value == NULL) refuse(name);
    bool is_known = false;
    for (size_t j = 0; j < sizeof numbers / sizeof *numbers; j++)
      if (strcmp(name, numbers[j].name) == 0) *numbers[j].at = atoi(value), is_known = true;
    for (size_t j = 0; j < sizeof reals / sizeof *reals; j++)
      if (strcmp(name, reals[j].name) == 0) *reals[j].at = atof(value), is_known = true;
    if (strcmp(name, "--filter") == 0) o.filter = value;
    else if (strcmp(name, "--pid") == 0) read_pids(&o.pids, value);
    else if (!is_known) refuse(name);
  }
  if (o.port == 0) refuse("--port is missing");
  if (o.subscribe_port == 0) o.subscribe_port = o.port;
  return o;
}
