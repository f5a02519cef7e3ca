/* A log-linear histogram of nanoseconds: exact below 128 ns, then 64 steps per doubling (error below 1.6 %). */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_SLOTS = 64 * 60 };

struct histogram {
  uint64_t count;
  uint64_t max_ns;
  uint64_t slots[HISTOGRAM_SLOTS];
};

static inline unsigned histogram_slot(uint64_t ns) {
  if (ns < 128) return (unsigned)ns;
  unsigned shift = (unsigned)(63 - __builtin_clzll(ns)) - 6;
  return shift * 64 + (unsigned)(ns >> shift);
}

static inline void histogram_add(struct histogram *h, uint64_t ns) {
  unsigned slot = histogram_slot(ns);
  h->slots[slot < HISTOGRAM_SLOTS ? slot : HISTOGRAM_SLOTS - 1]++;
  h->count++;
  if (ns > h->max_ns) h->max_ns = ns;
}

/* The smallest recorded step that at least `fraction` (0..1) of the values do not exceed; 0 when empty. */
uint64_t histogram_percentile(const struct histogram *h, double fraction);

#endif
