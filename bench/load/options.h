/* What the command line asks for. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "process.h"

enum { PORTS_MAX = 16 };

enum exchange_kind { EXCHANGE_DEFAULT, EXCHANGE_DIRECT, EXCHANGE_TOPIC, EXCHANGE_FANOUT, EXCHANGE_UNBOUND };

struct options {
  const char *host;
  int port;
  int home_port;          /* where exchange and queues are declared; 0 = port */
  int consumer_port;      /* where consumers connect; 0 = port */
  const char *user;
  const char *password;
  const char *vhost;
  uint32_t size_bytes;
  int producers;
  int consumers;
  int queues;
  enum exchange_kind exchange;
  uint32_t confirm_window; /* 0 = no confirms */
  uint32_t prefetch;       /* 0 = auto-ack */
  uint32_t ack_every;
  bool persistent;
  bool durable;
  /* Queues with copies on several nodes, `x-queue-type: quorum`. */
  bool quorum;
  double rate_per_second; /* of all producers together; 0 = flat out */
  bool spin;              /* never sleeps while it has a schedule */
  double seconds;
  double warmup_seconds;
  bool backlog_only;
  bool fills;             /* --backlog was given */
  uint64_t backlog;       /* so many messages pile up, and go out again */
  const char *keep;       /* the queue's name when it outlives the run */
  int connections_idle;
  int declare;            /* so many queues are declared, and nothing else */
  int connections;        /* that declare them */
  int ports[PORTS_MAX];   /* over which these are spread */
  int port_count;
  bool bind;              /* the queues are server-named, exclusive, bound and consumed from */
  struct process_roots broker;
  bool json;
  int sink_port; /* 0 = we are the client */
  bool sink_relay;
};

/* Exits with status 2 and a text on anything that it does not know. */
struct options options_parse(int argc, char **argv);

#endif
