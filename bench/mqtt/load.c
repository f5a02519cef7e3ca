/* Load for an MQTT broker, from one thread; see options.c for what it does. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "work.h"

void print_latency(const char *name, const struct histogram *histogram) {
  printf("\"%s\":{\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64 "}", name, histogram_percentile(histogram, 0.5),
         histogram_percentile(histogram, 0.99), histogram->max_ns);
}

int main(int argc, char **argv) {
  struct options options = options_read(argc, argv);
  if (argc > 1 && strcmp(argv[1], "traffic") == 0) return traffic(&options);
  if (argc > 1 && strcmp(argv[1], "retained") == 0) return retained(&options);
  if (argc > 1 && strcmp(argv[1], "storm") == 0) return storm(&options);
  return fprintf(stderr, "mqtt load: traffic, retained or storm?\n"), 2;
}
