/* An AMQP 0-9-1 load generator that costs next to nothing beside the broker it drives; see README.md. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "load/backlog.h"
#include "load/declare.h"
#include "load/idle.h"
#include "load/report.h"
#include "load/sink.h"
#include "load/traffic.h"

/* Above every bound of its own (set-up, drain, goodbye), so that no run hangs whatever the broker does. */
enum { GRACE_SECONDS = 240 };

static void on_alarm(int signal_number) {
  (void)signal_number;
  static const char text[] = "load: the run took too long and was given up\n";
  if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(4);
  _exit(3);
}

int main(int argc, char **argv) {
  struct options options = options_parse(argc, argv);
  signal(SIGPIPE, SIG_IGN);
  if (options.sink_port > 0) {
    sink_serve(&options);
    return 0;
  }
  signal(SIGALRM, on_alarm);
  alarm((unsigned)(options.warmup_seconds + options.seconds + backlog_seconds_max(&options)) + GRACE_SECONDS);
  if (options.connections_idle > 0) {
    struct idle_result result;
    idle_run(&options, &result);
    report_idle(&options, &result);
    return 0;
  }
  if (options.declare > 0) {
    static struct declare_result result;
    declare_run(&options, &result);
    report_declare(&options, &result);
    return 0;
  }
  if (options.fills) {
    static struct backlog_result result;
    backlog_run(&options, &result);
    report_backlog(&options, &result);
    return 0;
  }
  static struct traffic_result result;
  traffic_run(&options, &result);
  report_traffic(&options, &result);
  return 0;
}
