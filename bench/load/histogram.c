#include "histogram.h"

#include <math.h>

/* The largest value that falls into a slot, so that a percentile never flatters. */
static uint64_t slot_upper_ns(unsigned slot) {
  if (slot < 128) return slot;
  unsigned shift = slot / 64 - 1;
  return (((uint64_t)(slot - shift * 64) + 1) << shift) - 1;
}

uint64_t histogram_percentile(const struct histogram *h, double fraction) {
  if (h->count == 0) return 0;
  uint64_t wanted = (uint64_t)ceil(fraction * (double)h->count);
  uint64_t seen = 0;
  for (unsigned slot = 0; slot < HISTOGRAM_SLOTS; slot++) {
    seen += h->slots[slot];
    if (seen >= wanted && seen > 0) {
      uint64_t upper = slot_upper_ns(slot);
      return upper < h->max_ns ? upper : h->max_ns;
    }
  }
  return h->max_ns;
}
