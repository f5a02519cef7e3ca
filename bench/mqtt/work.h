/* The kinds of load. Each prints one line of JSON. */
#ifndef BENCH_MQTT_WORK_H
#define BENCH_MQTT_WORK_H

#include "client.h"
#include "options.h"

int traffic(const struct options *options);
int retained(const struct options *options);
int storm(const struct options *options);

/* `"name":{"p50":..,"p99":..,"max":..}` in nanoseconds. */
void print_latency(const char *name, const struct histogram *histogram);

#endif
