/* Producers and consumers against one broker: set-up, the measured window, the drain, the clean-up. */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include "histogram.h"
#include "options.h"

struct traffic_result {
  double seconds;               /* of the measured window */
  uint64_t published;           /* in the window: handed to the kernel */
  uint64_t consumed;            /* in the window: arrived */
  uint64_t confirmed;           /* in the window */
  uint64_t published_total;
  uint64_t consumed_total;
  uint64_t expected_total;      /* deliveries that published_total must lead to; 0 = not known */
  bool drained;                 /* the expected deliveries arrived in the time allowed for it */
  uint64_t nacked, returned, blocked, gaps, reordered;
  struct histogram latency, confirm_latency, send_lag;
  struct process_usage broker_start, broker_end;
  bool peak_is_of_window;
  double own_cpu_seconds;
  double machine_cpu_seconds;   /* of everybody, we and the broker included */
};

/* Runs it all; dies when the broker closes a connection or answers too late. */
void traffic_run(const struct options *options, struct traffic_result *result);

#endif
