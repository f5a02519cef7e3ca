/* Many connections that declare queues, each one after the other: how many a second, and whether they can be reached. */
#ifndef BENCH_DECLARE_H
#define BENCH_DECLARE_H

#include "histogram.h"
#include "options.h"

struct declare_result {
  int queues;
  double open_seconds;    /* until every connection was open */
  double seconds;         /* from the first declare to the last answer */
  double reached_seconds; /* with --bind: until each queue had the message that was published to it */
  double delete_seconds;  /* without --bind: of all of them, by the same connections */
  struct histogram latency; /* of one queue: declare, bind, consume */
  struct process_usage before, after;
};

void declare_run(const struct options *options, struct declare_result *result);

#endif
