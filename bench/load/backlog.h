/* A queue that fills up while nobody consumes, stays like that for a while, and is emptied: speed both ways, memory in between. */
#ifndef BENCH_BACKLOG_H
#define BENCH_BACKLOG_H

#include "options.h"

struct backlog_result {
  uint64_t found;              /* in the queue before anything was published: what an earlier run kept */
  uint64_t published, consumed;
  double fill_seconds;         /* until the broker says that all of them are in the queue */
  double drain_seconds;
  struct process_usage before; /* after a trial, or --warmup 0 */
  struct process_usage full;   /* when the backlog has stood for --seconds; its peak is that of the filling */
  struct process_usage after;  /* its peak is that of the draining */
  uint64_t nacked, returned, blocked, gaps, reordered;
  double seconds;              /* from the start of the filling to the end of the draining */
  double own_cpu_seconds;
  double machine_cpu_seconds;
};

/* What filling and draining may take. */
double backlog_seconds_max(const struct options *options);

/* Dies when the broker closes a connection, or takes longer than that. */
void backlog_run(const struct options *options, struct backlog_result *result);

#endif
