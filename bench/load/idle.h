/* Many connections that do nothing: what each costs the broker in memory. */
#ifndef BENCH_IDLE_H
#define BENCH_IDLE_H

#include "options.h"

struct idle_result {
  int connections;
  double open_seconds;
  struct process_usage before;
  struct process_usage after; /* at the end of the holding time */
};

/* Opens them with the whole handshake, holds them, closes them; dies when one of them is lost. */
void idle_run(const struct options *options, struct idle_result *result);

#endif
