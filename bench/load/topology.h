/* The exchange and the queues of one run, declared and deleted over a connection of their own. */
#ifndef BENCH_TOPOLOGY_H
#define BENCH_TOPOLOGY_H

#include "connection.h"

struct topology {
  struct connection control;
  char exchange[64]; /* "" = the default exchange */
  int queue_count;
  char **queues;     /* names of one length; they are the routing keys too */
};

void topology_declare(struct topology *t, const struct options *options);
/* How many messages are in the first queue, as the broker says. */
uint32_t topology_waiting(struct topology *t, const struct options *options);

/* Deletes what was declared, except a queue that is to be kept, and says goodbye. */
void topology_delete(struct topology *t);

#endif
