#include "sink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sink_peer.h"

enum { EVENTS_MAX = 256, LIFE_SECONDS_MIN = 600 };

static volatile sig_atomic_t stopped;
static void on_stop(int signal_number) { stopped = signal_number; }

static int listen_on(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0)
    die("cannot listen on 127.0.0.1:%d: %s", port, strerror(errno));
  return fd;
}

static void accept_all(struct sink *sink, int listener) {
  for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sink_peer *peer = sink_peer_new(sink, fd);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    epoll_ctl(sink->epoll, EPOLL_CTL_ADD, fd, &event);
  }
}

/* A relay whose consumers lag stops reading from everybody else until they have caught up. */
static void watch(struct sink *sink, struct sink_peer *peer) {
  bool held = sink->congested && !peer->consumer;
  uint32_t wanted = (held ? 0 : (uint32_t)EPOLLIN) | (sink_peer_wants_write(peer) ? (uint32_t)EPOLLOUT : 0);
  if (wanted == peer->watched) return;
  peer->watched = wanted;
  struct epoll_event event = {.events = wanted, .data.ptr = peer};
  epoll_ctl(sink->epoll, EPOLL_CTL_MOD, peer->fd, &event);
}

static void settle(struct sink *sink) {
  size_t most = 0;
  for (struct sink_peer *peer = sink->peers; peer; peer = peer->next)
    if (peer->out.length - peer->out_sent > most) most = peer->out.length - peer->out_sent;
  sink->congested = most > (sink->congested ? 1u << 20 : 4u << 20);
  for (struct sink_peer *peer = sink->peers, *next; peer; peer = next) {
    next = peer->next;
    if (peer->gone) sink_peer_free(sink, peer);
    else watch(sink, peer);
  }
}

void sink_serve(const struct options *options) {
  struct sink sink = {.options = options, .epoll = epoll_create1(EPOLL_CLOEXEC)};
  int listener = listen_on(options->sink_port);
  signal(SIGINT, on_stop);
  signal(SIGTERM, on_stop);
  sink_prepare(&sink);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(sink.epoll, EPOLL_CTL_ADD, listener, &event);
  uint64_t life_ns = (uint64_t)((options->seconds > LIFE_SECONDS_MIN ? options->seconds : LIFE_SECONDS_MIN) * 1e9);
  uint64_t until_ns = now_ns() + life_ns;
  printf("sink on 127.0.0.1:%d\n", options->sink_port);
  fflush(stdout);
  while (!stopped && now_ns() < until_ns) {
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(sink.epoll, events, EVENTS_MAX, 1000);
    for (int i = 0; i < count; i++) {
      struct sink_peer *peer = events[i].data.ptr;
      if (!peer) accept_all(&sink, listener);
      else sink_peer_turn(&sink, peer, events[i].events);
    }
    settle(&sink);
  }
}
