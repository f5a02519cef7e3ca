#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNACK = 2, PUBLISH = 3, PUBACK = 4, PUBREC = 5, PUBREL = 6, PUBCOMP = 7, SUBACK = 9, PINGRESP = 13 };

void fail(const char *what) {
  fprintf(stderr, "mqtt load: %s: %s\n", what, errno ? strerror(errno) : "the broker hung up");
  exit(1);
}

uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint8_t *put_length(uint8_t *at, size_t length) {
  do {
    uint8_t byte = length & 0x7f;
    length >>= 7;
    *at++ = length > 0 ? byte | 0x80 : byte;
  } while (length > 0);
  return at;
}

static uint8_t *put_text(uint8_t *at, const char *text) {
  size_t length = strlen(text);
  *at++ = (uint8_t)(length >> 8);
  *at++ = (uint8_t)length;
  memcpy(at, text, length);
  return at + length;
}

void client_connect(struct client *client, const char *host, int port, const char *id) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  inet_pton(AF_INET, host, &address.sin_addr);
  client->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (client->fd < 0) fail("socket");
  int on = 1;
  setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(client->fd, F_SETFL, O_NONBLOCK);
  if (connect(client->fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) fail("connect");
  if (client->version == 0) client->version = 4;
  client->in = malloc(CLIENT_IN_BYTES);
  client->out = malloc(CLIENT_OUT_BYTES);
  client->next_id = 1;
  bool is_five = client->version == 5;
  uint8_t *at = client->out;
  *at++ = 0x10;
  at = put_length(at, 12 + strlen(id) + (is_five ? 1 : 0));
  at = put_text(at, "MQTT");
  *at++ = (uint8_t)client->version;
  *at++ = 2;
  *at++ = 0;
  *at++ = 0;
  if (is_five) *at++ = 0;
  at = put_text(at, id);
  client->out_used = (size_t)(at - client->out);
}

void client_drop(struct client *client) {
  close(client->fd);
  free(client->in);
  free(client->out);
  client->in = client->out = NULL;
  client->in_used = client->out_from = client->out_used = 0;
  client->is_open = client->is_refused = false;
  client->subacks_due = 0;
}

static void put_id(struct client *client, uint8_t *at) {
  at[0] = (uint8_t)(client->next_id >> 8);
  at[1] = (uint8_t)client->next_id;
  client->next_id = client->next_id == 65535 ? 1 : client->next_id + 1;
}

bool client_subscribe(struct client *client, const char *filter, int qos) {
  bool is_five = client->version == 5;
  size_t body = 5 + strlen(filter) + (is_five ? 1 : 0);
  if (client->out_used + body + 5 > CLIENT_OUT_BYTES) return false;
  uint8_t *at = client->out + client->out_used;
  *at++ = 0x82;
  at = put_length(at, body);
  put_id(client, at);
  at += 2;
  if (is_five) *at++ = 0;
  at = put_text(at, filter);
  *at++ = (uint8_t)qos;
  client->out_used = (size_t)(at - client->out);
  client->subacks_due++;
  return true;
}

bool client_publish(struct client *client, const char *topic, int qos, bool retain, int size, uint64_t stamp_ns) {
  bool is_five = client->version == 5;
  size_t body = 2 + strlen(topic) + (qos > 0 ? 2 : 0) + (is_five ? 1 : 0) + (size_t)size;
  if (client->out_used + body + 5 > CLIENT_OUT_BYTES) return false;
  uint8_t *at = client->out + client->out_used;
  *at++ = (uint8_t)(0x30 | qos << 1 | (retain ? 1 : 0));
  at = put_length(at, body);
  at = put_text(at, topic);
  if (qos > 0) {
    put_id(client, at);
    at += 2;
    client->window--;
  }
  if (is_five) *at++ = 0;
  memset(at, 'x', (size_t)size);
  if (size >= 8) memcpy(at, &stamp_ns, 8);
  client->out_used = (size_t)(at - client->out) + (size_t)size;
  client->sent++;
  return true;
}

void client_ping(struct client *client) {
  if (client->pinged_ns != 0 || client->out_used + 2 > CLIENT_OUT_BYTES) return;
  client->out[client->out_used++] = 0xc0;
  client->out[client->out_used++] = 0;
  client->pinged_ns = now_ns();
}

static void answer(struct client *client, int first, const uint8_t *id) {
  if (client->out_used + 4 > CLIENT_OUT_BYTES) fail("answers do not fit");
  uint8_t *at = client->out + client->out_used;
  at[0] = (uint8_t)first;
  at[1] = 2;
  at[2] = id[0];
  at[3] = id[1];
  client->out_used += 4;
}

static void hear_publish(struct client *client, struct counts *counts, int qos, const uint8_t *at, const uint8_t *end) {
  client->heard++;
  at += 2 + (at[0] << 8 | at[1]);
  if (qos > 0) {
    answer(client, (qos == 1 ? PUBACK : PUBREC) << 4, at);
    at += 2;
  }
  if (client->version == 5) at += 1 + at[0]; /* properties; ours have fewer than 128 bytes of them */
  counts->consumed++;
  if (!counts->is_measured || end - at < 8) return;
  uint64_t stamp;
  memcpy(&stamp, at, 8);
  if (stamp != 0) histogram_add(&counts->latency, now_ns() - stamp);
}

static void hear(struct client *client, struct counts *counts, int first, const uint8_t *at, const uint8_t *end) {
  switch (first >> 4) {
    case CONNACK:
      errno = 0;
      if (at[1] != 0 && !client->may_be_refused) fail("the connection was refused");
      client->is_open = at[1] == 0;
      client->is_refused = at[1] != 0;
      break;
    case SUBACK:
      errno = 0;
      if (end[-1] >= 0x80) fail("the subscription was refused");
      client->subacks_due--;
      break;
    case PUBLISH: hear_publish(client, counts, first >> 1 & 3, at, end); break;
    case PINGRESP:
      histogram_add(&counts->pings, now_ns() - client->pinged_ns);
      client->pinged_ns = 0;
      break;
    case PUBREC: answer(client, PUBREL << 4 | 2, at); break;
    case PUBREL: answer(client, PUBCOMP << 4, at); break;
    case PUBACK:
    case PUBCOMP:
      client->window++;
      counts->acknowledged++;
      break;
  }
}

void client_read(struct client *client, struct counts *counts) {
  ssize_t got = read(client->fd, client->in + client->in_used, CLIENT_IN_BYTES - client->in_used);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0 && client->may_be_refused && !client->is_open) {
    client->is_refused = true;
    return;
  }
  if (got == 0) errno = 0;
  if (got <= 0) fail("read");
  client->in_used += (size_t)got;
  uint64_t before = client->heard;
  uint8_t *at = client->in, *end = client->in + client->in_used;
  while (end - at >= 2) {
    size_t length = 0;
    uint8_t *from = at + 1;
    for (int shift = 0; from < end; shift += 7) {
      length |= (size_t)(*from & 0x7f) << shift;
      if (*from++ < 0x80) break;
    }
    if (from[-1] >= 0x80 || (size_t)(end - from) < length) break;
    hear(client, counts, at[0], from, from + length);
    at = from + length;
  }
  client->in_used = (size_t)(end - at);
  memmove(client->in, at, client->in_used);
  if (client->heard == before) return;
  client->last_ns = now_ns();
  if (before == 0) client->first_ns = client->last_ns;
}

bool client_flush(struct client *client) {
  while (client->out_from < client->out_used) {
    ssize_t put = write(client->fd, client->out + client->out_from, client->out_used - client->out_from);
    if (put < 0 && errno == EAGAIN) return true;
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && (errno == ENOTCONN || errno == EINPROGRESS)) return true;
    if (put < 0 && client->may_be_refused && !client->is_open) {
      client->is_refused = true;
      return false;
    }
    if (put <= 0) fail("write");
    client->out_from += (size_t)put;
  }
  client->out_from = client->out_used = 0;
  return false;
}

void client_settle(struct client *client, struct counts *counts, double seconds) {
  uint64_t until = now_ns() + (uint64_t)(seconds * 1e9);
  while (!client->is_open || client->subacks_due > 0) {
    bool is_left = client_flush(client);
    struct pollfd one = {.fd = client->fd, .events = (short)(POLLIN | (is_left ? POLLOUT : 0))};
    poll(&one, 1, 10);
    client_read(client, counts);
    errno = 0;
    if (now_ns() > until) fail("CONNECT or SUBSCRIBE were not answered in time");
  }
}
