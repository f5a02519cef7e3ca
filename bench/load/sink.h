/* The other end without a broker in it: shows what the generator itself can do. */
#ifndef BENCH_SINK_H
#define BENCH_SINK_H

#include "options.h"

/* Serves until SIGTERM or SIGINT, and at most for ten minutes or --seconds, whichever is longer. */
void sink_serve(const struct options *options);

#endif
