#include "report.h"

#include <inttypes.h>
#include <stdio.h>

static const double PERCENTILES[] = {0.50, 0.90, 0.99, 0.999};
static const char *const PERCENTILE_NAMES[] = {"p50", "p90", "p99", "p999"};

/* What a row is about: deliveries when somebody consumes, else what was published. */
static uint64_t messages(const struct options *options, const struct traffic_result *result) {
  return options->consumers > 0 ? result->consumed : result->published;
}

static double broker_cpu_seconds(const struct traffic_result *result) {
  return result->broker_end.cpu_seconds - result->broker_start.cpu_seconds;
}

/* Cores that somebody else used meanwhile: above a tenth or two, the figures are of a disturbed machine. */
static double others_share(const struct traffic_result *result) {
  double others = result->machine_cpu_seconds - broker_cpu_seconds(result) - result->own_cpu_seconds;
  return others > 0 ? others / result->seconds : 0;
}

static int64_t missing(const struct traffic_result *result) {
  return result->expected_total == 0 ? 0 : (int64_t)(result->expected_total - result->consumed_total);
}

static void text_latency(const char *name, const struct histogram *h) {
  if (h->count == 0) return;
  printf("%-16s", name);
  for (int i = 0; i < 4; i++)
    printf("%s %.1f us  ", PERCENTILE_NAMES[i], (double)histogram_percentile(h, PERCENTILES[i]) / 1e3);
  printf("max %.1f us  (%" PRIu64 ")\n", (double)h->max_ns / 1e3, h->count);
}

static void text_traffic(const struct options *options, const struct traffic_result *result) {
  double s = result->seconds;
  printf("published       %.0f msg/s\n", (double)result->published / s);
  if (options->consumers > 0) printf("consumed        %.0f msg/s\n", (double)result->consumed / s);
  if (options->confirm_window > 0) printf("confirmed       %.0f msg/s\n", (double)result->confirmed / s);
  text_latency(options->rate_per_second > 0 ? "latency" : "time in broker", &result->latency);
  text_latency("confirm latency", &result->confirm_latency);
  text_latency("send lag", &result->send_lag);
  if (options->broker.count > 0)
    printf("broker          %.2f CPU s per million messages, %.1f CPU s/s, peak RSS %.1f MiB%s\n",
           1e6 * broker_cpu_seconds(result) / (double)messages(options, result), broker_cpu_seconds(result) / s,
           (double)result->broker_end.peak_bytes / 1048576, result->peak_is_of_window ? "" : " (since its start)");
  printf("generator       %.0f %% of a core", 100 * result->own_cpu_seconds / s);
  if (options->broker.count > 0) printf("; others %.0f %%", 100 * others_share(result));
  putchar('\n');
  if (result->nacked + result->returned + result->blocked > 0)
    printf("nacked %" PRIu64 ", returned %" PRIu64 ", blocked %" PRIu64 " times\n", result->nacked,
           result->returned, result->blocked);
  if (missing(result) != 0 || result->gaps + result->reordered > 0)
    printf("WRONG           missing %" PRId64 ", sequence gaps %" PRIu64 ", out of order %" PRIu64 "%s\n",
           missing(result), result->gaps, result->reordered, result->drained ? "" : " (not drained in time)");
}

static void json_latency(const char *name, const struct histogram *h) {
  printf(",\"%s\":{\"count\":%" PRIu64, name, h->count);
  for (int i = 0; i < 4; i++) printf(",\"%s\":%" PRIu64, PERCENTILE_NAMES[i], histogram_percentile(h, PERCENTILES[i]));
  printf(",\"max\":%" PRIu64 "}", h->max_ns);
}

static void json_traffic(const struct options *options, const struct traffic_result *result) {
  double s = result->seconds;
  printf("{\"seconds\":%.3f,\"publishedPerSecond\":%.1f,\"consumedPerSecond\":%.1f,\"confirmedPerSecond\":%.1f", s,
         (double)result->published / s, (double)result->consumed / s, (double)result->confirmed / s);
  printf(",\"publishedTotal\":%" PRIu64 ",\"consumedTotal\":%" PRIu64 ",\"missing\":%" PRId64 ",\"drained\":%s",
         result->published_total, result->consumed_total, missing(result), result->drained ? "true" : "false");
  printf(",\"gaps\":%" PRIu64 ",\"reordered\":%" PRIu64 ",\"nacked\":%" PRIu64, result->gaps, result->reordered,
         result->nacked);
  printf(",\"returned\":%" PRIu64 ",\"blocked\":%" PRIu64, result->returned, result->blocked);
  json_latency("latencyNs", &result->latency);
  json_latency("confirmLatencyNs", &result->confirm_latency);
  json_latency("sendLagNs", &result->send_lag);
  if (options->broker.count > 0) printf(",\"othersCpuShare\":%.3f", others_share(result));
  if (options->broker.count > 0)
    printf(",\"broker\":{\"cpuSeconds\":%.3f,\"cpuSecondsPerMillion\":%.4f,\"rssBytes\":%" PRIu64
           ",\"peakRssBytes\":%" PRIu64 "}",
           broker_cpu_seconds(result), 1e6 * broker_cpu_seconds(result) / (double)messages(options, result),
           result->broker_end.rss_bytes, result->broker_end.peak_bytes);
  printf(",\"generatorCpuShare\":%.3f}\n", result->own_cpu_seconds / s);
}

void report_traffic(const struct options *options, const struct traffic_result *result) {
  if (options->json) json_traffic(options, result);
  else text_traffic(options, result);
}

void report_idle(const struct options *options, const struct idle_result *result) {
  double each = ((double)result->after.rss_bytes - (double)result->before.rss_bytes) / result->connections;
  if (options->json) {
    printf("{\"connections\":%d,\"openSeconds\":%.3f,\"cpuSeconds\":%.3f,\"rssBeforeBytes\":%" PRIu64
           ",\"rssAfterBytes\":%" PRIu64 ",\"peakRssBytes\":%" PRIu64 ",\"rssBytesPerConnection\":%.1f}\n",
           result->connections, result->open_seconds, result->after.cpu_seconds - result->before.cpu_seconds,
           result->before.rss_bytes, result->after.rss_bytes, result->after.peak_bytes, each);
    return;
  }
  printf("idle            %d connections, opened in %.2f s\n", result->connections, result->open_seconds);
  if (options->broker.count > 0)
    printf("broker          RSS %.1f -> %.1f MiB: %.1f KiB for each connection\n",
           (double)result->before.rss_bytes / 1048576, (double)result->after.rss_bytes / 1048576, each / 1024);
}

static double growth_each(const struct backlog_result *result) {
  return ((double)result->full.rss_bytes - (double)result->before.rss_bytes) / (double)result->published;
}

static double rate(uint64_t messages, double seconds) { return seconds > 0 ? (double)messages / seconds : 0; }

static void json_backlog(const struct options *options, const struct backlog_result *result) {
  printf("{\"found\":%" PRIu64 ",\"messages\":%" PRIu64 ",\"fillSeconds\":%.3f,\"fillPerSecond\":%.1f", result->found,
         result->published, result->fill_seconds, rate(result->published, result->fill_seconds));
  if (!options->keep)
    printf(",\"drainSeconds\":%.3f,\"drainPerSecond\":%.1f,\"missing\":%" PRId64, result->drain_seconds,
           rate(result->consumed, result->drain_seconds), (int64_t)(result->published - result->consumed));
  printf(",\"gaps\":%" PRIu64 ",\"reordered\":%" PRIu64 ",\"nacked\":%" PRIu64 ",\"returned\":%" PRIu64
         ",\"blocked\":%" PRIu64,
         result->gaps, result->reordered, result->nacked, result->returned, result->blocked);
  if (options->broker.count > 0 && result->published > 0) {
    double broker = result->after.cpu_seconds - result->before.cpu_seconds;
    double others = result->machine_cpu_seconds - broker - result->own_cpu_seconds;
    printf(",\"rssBeforeBytes\":%" PRIu64 ",\"rssFullBytes\":%" PRIu64 ",\"rssAfterBytes\":%" PRIu64
           ",\"rssBytesPerMessage\":%.1f,\"peakRssBytes\":%" PRIu64 ",\"drainPeakRssBytes\":%" PRIu64,
           result->before.rss_bytes, result->full.rss_bytes, result->after.rss_bytes, growth_each(result),
           result->full.peak_bytes, result->after.peak_bytes);
    printf(",\"othersCpuShare\":%.3f", others > 0 ? others / result->seconds : 0);
  }
  printf(",\"generatorCpuShare\":%.3f}\n", result->own_cpu_seconds / result->seconds);
}

void report_backlog(const struct options *options, const struct backlog_result *result) {
  if (options->json) {
    json_backlog(options, result);
    return;
  }
  if (result->found > 0) printf("found           %" PRIu64 " messages\n", result->found);
  printf("filled          %.0f msg/s\n", rate(result->published, result->fill_seconds));
  if (!options->keep) printf("drained         %.0f msg/s\n", rate(result->consumed, result->drain_seconds));
  if (options->broker.count > 0)
    printf("broker          RSS %.1f -> %.1f MiB (%.1f B a message), at most %.1f MiB while it filled, %.1f while it drained\n",
           (double)result->before.rss_bytes / 1048576, (double)result->full.rss_bytes / 1048576, growth_each(result),
           (double)result->full.peak_bytes / 1048576, (double)result->after.peak_bytes / 1048576);
  if (result->nacked + result->returned + result->blocked > 0)
    printf("nacked %" PRIu64 ", returned %" PRIu64 ", blocked %" PRIu64 " times\n", result->nacked, result->returned,
           result->blocked);
  if (result->gaps + result->reordered > 0)
    printf("WRONG           sequence gaps %" PRIu64 ", out of order %" PRIu64 "\n", result->gaps, result->reordered);
}

void report_declare(const struct options *options, const struct declare_result *result) {
  double cpu_seconds = result->after.cpu_seconds - result->before.cpu_seconds;
  if (options->json) {
    printf("{\"queues\":%d,\"connections\":%d,\"openSeconds\":%.3f,\"declareSeconds\":%.3f,\"declaredPerSecond\":%.1f",
           result->queues, options->connections, result->open_seconds, result->seconds,
           rate((uint64_t)result->queues, result->seconds));
    if (options->bind) printf(",\"reachedSeconds\":%.3f", result->reached_seconds);
    else printf(",\"deletedPerSecond\":%.1f", rate((uint64_t)result->queues, result->delete_seconds));
    json_latency("latencyNs", &result->latency);
    printf(",\"cpuSeconds\":%.3f,\"peakRssBytes\":%" PRIu64 "}\n", cpu_seconds, result->after.peak_bytes);
    return;
  }
  printf("declared        %d queues over %d connections in %.2f s (%.0f a second), connected in %.2f s\n", result->queues,
         options->connections, result->seconds, rate((uint64_t)result->queues, result->seconds), result->open_seconds);
  text_latency("each", &result->latency);
  if (options->bind) printf("reached         all of them in %.2f s\n", result->reached_seconds);
  else printf("deleted         %.0f a second\n", rate((uint64_t)result->queues, result->delete_seconds));
  if (options->broker.count > 0) printf("broker          %.2f CPU s\n", cpu_seconds);
}
