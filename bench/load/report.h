/* Results for people and for programs. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "backlog.h"
#include "declare.h"
#include "idle.h"
#include "traffic.h"

void report_traffic(const struct options *options, const struct traffic_result *result);
void report_backlog(const struct options *options, const struct backlog_result *result);
void report_idle(const struct options *options, const struct idle_result *result);

void report_declare(const struct options *options, const struct declare_result *result);

#endif
