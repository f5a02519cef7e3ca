#include "connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("load: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

void connection_raise_file_limit(int connections) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  rlim_t needed = (rlim_t)connections + 64;
  if (limit.rlim_cur < needed) limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < needed) die("%d connections need %llu open files; ulimit -n allows %llu", connections,
                                   (unsigned long long)needed, (unsigned long long)limit.rlim_cur);
}

static struct sockaddr_in resolve(const char *host, int port) {
  struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
  if (getaddrinfo(host, NULL, &hints, &found) != 0) die("cannot resolve %s", host);
  struct sockaddr_in address = *(struct sockaddr_in *)(void *)found->ai_addr;
  address.sin_port = htons((uint16_t)port);
  freeaddrinfo(found);
  return address;
}

static void bind_source(int fd, int last) {
  struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7F000000u | (uint32_t)last)};
  /* Without this option every bound socket would reserve its port for all destinations. */
  int on = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&source, sizeof source) != 0)
    die("cannot use 127.0.0.%d as source: %s", last, strerror(errno));
}

void connection_start(struct connection *c, const struct options *options, size_t in_capacity, int source_last) {
  *c = (struct connection){.options = options, .frame_max = 4096, .in_capacity = in_capacity};
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0) die("cannot open a socket: %s (see ulimit -n)", strerror(errno));
  c->in = malloc(in_capacity);
  int on = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (source_last > 0) bind_source(c->fd, source_last);
  struct sockaddr_in address = resolve(options->host, options->port);
  if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)
    die("cannot connect to %s:%d: %s", options->host, options->port, strerror(errno));
  put_raw(&c->out, "AMQP\0\0\x09\x01", 8);
}

bool connection_flush(struct connection *c) {
  while (c->out_sent < c->out.length) {
    ssize_t sent = send(c->fd, c->out.data + c->out_sent, c->out.length - c->out_sent, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN || errno == EINPROGRESS)) return false;
    if (sent < 0) die("write to %s:%d failed: %s", c->options->host, c->options->port, strerror(errno));
    c->out_sent += (size_t)sent;
  }
  c->out.length = c->out_sent = 0;
  return true;
}

bool connection_fill(struct connection *c) {
  if (c->in_length == c->in_capacity) {
    /* A frame larger than the buffer: frame-max bounds how far this can go. */
    c->in_capacity *= 2;
    c->in = realloc(c->in, c->in_capacity);
    if (!c->in) abort();
  }
  ssize_t got = recv(c->fd, c->in + c->in_length, c->in_capacity - c->in_length, 0);
  if (got > 0) {
    c->in_length += (size_t)got;
    c->moved_bytes += (uint64_t)got;
    return true;
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  die("%s:%d %s", c->options->host, c->options->port, got == 0 ? "closed the connection" : strerror(errno));
}

void connection_consume(struct connection *c, size_t used) {
  if (used == 0) return;
  memmove(c->in, c->in + used, c->in_length - used);
  c->in_length -= used;
}

static void put_capabilities(struct bytes *out) {
  static const char *const names[] = {"publisher_confirms", "basic.nack", "consumer_cancel_notify",
                                      "connection.blocked", "authentication_failure_close"};
  struct bytes table = {0};
  for (int i = 0; i < 5; i++) {
    put_shortstr(&table, names[i]);
    put_raw(&table, "t\x01", 2);
  }
  put_shortstr(out, "capabilities");
  put_u8(out, 'F');
  put_longstr(out, table.data, table.length);
  free(table.data);
}

static void put_start_ok(struct connection *c) {
  struct bytes properties = {0}, response = {0};
  put_shortstr(&properties, "product");
  put_u8(&properties, 'S');
  put_longstr(&properties, "chapar-bench", 12);
  put_capabilities(&properties);
  put_u8(&response, 0);
  put_raw(&response, c->options->user, strlen(c->options->user));
  put_u8(&response, 0);
  put_raw(&response, c->options->password, strlen(c->options->password));
  size_t start = method_begin(&c->out, 0, CONNECTION_START_OK);
  put_longstr(&c->out, properties.data, properties.length);
  put_shortstr(&c->out, "PLAIN");
  put_longstr(&c->out, response.data, response.length);
  put_shortstr(&c->out, "en_US");
  frame_end(&c->out, start);
  free(properties.data);
  free(response.data);
}

static void put_tune_ok_and_open(struct connection *c, const struct frame *tune) {
  uint32_t offered = get_u32(tune->payload + 6);
  c->frame_max = offered == 0 || offered > 131072 ? 131072 : offered;
  size_t start = method_begin(&c->out, 0, CONNECTION_TUNE_OK);
  put_u16(&c->out, get_u16(tune->payload + 4));
  put_u32(&c->out, c->frame_max);
  put_u16(&c->out, 0); /* no heartbeats: an idle connection stays idle, and a busy one is alive by what it does */
  frame_end(&c->out, start);
  start = method_begin(&c->out, 0, CONNECTION_OPEN);
  put_shortstr(&c->out, c->options->vhost);
  put_shortstr(&c->out, "");
  put_u8(&c->out, 0);
  frame_end(&c->out, start);
}

static void die_of_close(const struct frame *frame) {
  const char *scope = frame_method(frame) == CONNECTION_CLOSE ? "connection" : "channel";
  die("the broker closed the %s: %u %.*s", scope, get_u16(frame->payload + 4), frame->payload[6],
      (const char *)frame->payload + 7);
}

void connection_handshake_step(struct connection *c, const struct frame *frame) {
  switch (frame_method(frame)) {
    case CONNECTION_START: put_start_ok(c); break;
    case CONNECTION_TUNE: put_tune_ok_and_open(c, frame); break;
    case CONNECTION_OPEN_OK: c->open = true; break;
    case QUEUE_DECLARE_OK: c->waiting = get_u32(frame->payload + 5 + frame->payload[4]); break;
    case CHANNEL_FLOW: die("the broker sent channel.flow, which this generator does not know");
    case CONNECTION_CLOSE:
    case CHANNEL_CLOSE: die_of_close(frame); break;
    default: break;
  }
}

/* Goes through the frames that are there; true as soon as `method` was among them. */
static bool scan_for(struct connection *c, enum method method) {
  struct frame frame;
  size_t used = 0;
  bool found = false;
  while (!found) {
    long length = frame_read(c->in + used, c->in_length - used, &frame);
    if (length < 0) die("%s:%d sent something that is not a frame", c->options->host, c->options->port);
    if (length == 0) break;
    connection_handshake_step(c, &frame);
    found = frame_method(&frame) == method;
    used += (size_t)length;
  }
  connection_consume(c, used);
  return found;
}

void connection_wait(struct connection *c, enum method method, double timeout_seconds) {
  uint64_t deadline_ns = now_ns() + (uint64_t)(timeout_seconds * 1e9);
  for (;;) {
    bool flushed = connection_flush(c);
    if (scan_for(c, method)) return;
    if (c->out.length > 0 && flushed) continue;
    if (now_ns() > deadline_ns) die("no answer (%u, %u) in %.0f s", method >> 16, method & 0xFFFF, timeout_seconds);
    struct pollfd wait = {.fd = c->fd, .events = (short)(POLLIN | (flushed ? 0 : POLLOUT))};
    if (poll(&wait, 1, 100) > 0 && (wait.revents & (POLLIN | POLLHUP | POLLERR))) connection_fill(c);
  }
}

void connection_open(struct connection *c, const struct options *options, size_t in_capacity) {
  connection_start(c, options, in_capacity, 0);
  connection_wait(c, CONNECTION_OPEN_OK, 10);
  size_t start = method_begin(&c->out, 1, CHANNEL_OPEN);
  put_shortstr(&c->out, "");
  frame_end(&c->out, start);
  connection_wait(c, CHANNEL_OPEN_OK, 10);
}

void connection_queue_close(struct connection *c) {
  size_t start = method_begin(&c->out, 0, CONNECTION_CLOSE);
  put_u16(&c->out, 200);
  put_shortstr(&c->out, "done");
  put_u32(&c->out, 0);
  frame_end(&c->out, start);
}

void connection_close(struct connection *c) {
  connection_queue_close(c);
  connection_wait(c, CONNECTION_CLOSE_OK, 20);
  close(c->fd);
  free(c->in);
  free(c->out.data);
}
