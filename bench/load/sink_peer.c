#include "sink_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_BYTES = 512 * 1024, FLOOD_BYTES = 128 * 1024, QUEUES_MAX = 10000, FRAME_MAX = 131072 };
/* Where the delivery tag stands in a delivery for the consumer tag "bench": frame 7, method 4, consumer tag 6. */
enum { TAG_OFFSET = 17 };

static void put_deliver(struct bytes *out, uint64_t tag) {
  size_t start = method_begin(out, 1, BASIC_DELIVER);
  put_shortstr(out, "bench");
  put_u64(out, tag);
  put_u8(out, 0);
  put_shortstr(out, "");
  put_shortstr(out, "sink");
  frame_end(out, start);
}

void sink_prepare(struct sink *sink) {
  sink->queues = calloc(QUEUES_MAX, sizeof *sink->queues);
  do {
    put_deliver(&sink->flood, 0);
    put_content(&sink->flood, sink->options->size_bytes, false, FRAME_MAX);
    if (sink->flood_messages++ == 0) sink->flood_stride = (uint32_t)sink->flood.length;
  } while (sink->flood.length + sink->flood_stride <= FLOOD_BYTES);
}

struct sink_peer *sink_peer_new(struct sink *sink, int fd) {
  struct sink_peer *peer = calloc(1, sizeof *peer);
  *peer = (struct sink_peer){.fd = fd, .next = sink->peers, .watched = EPOLLIN, .in = malloc(READ_BYTES), .target = -1};
  sink->peers = peer;
  return peer;
}

void sink_peer_free(struct sink *sink, struct sink_peer *peer) {
  struct sink_peer **at = &sink->peers;
  while (*at != peer) at = &(*at)->next;
  *at = peer->next;
  for (int i = 0; i < sink->queue_count; i++)
    if (sink->queues[i].consumer == peer) sink->queues[i].consumer = NULL;
  close(peer->fd);
  free(peer->in);
  free(peer->out.data);
  free(peer->flood.data);
  free(peer);
}

static void answer(struct sink_peer *peer, uint16_t channel, enum method method, const void *rest, size_t length) {
  size_t start = method_begin(&peer->out, channel, method);
  put_raw(&peer->out, rest, length);
  frame_end(&peer->out, start);
}

static int queue_find(const struct sink *sink, const uint8_t *shortstr) {
  for (int i = 0; i < sink->queue_count; i++)
    if (strlen(sink->queues[i].name) == shortstr[0] && memcmp(sink->queues[i].name, shortstr + 1, shortstr[0]) == 0)
      return i;
  return -1;
}

static void on_declare(struct sink *sink, struct sink_peer *peer, const uint8_t *name) {
  if (queue_find(sink, name) < 0 && sink->queue_count < QUEUES_MAX) {
    struct sink_queue *queue = &sink->queues[sink->queue_count++];
    memcpy(queue->name, name + 1, name[0]);
    queue->name[name[0]] = 0;
    queue->consumer = NULL;
  }
  struct bytes rest = {0};
  put_raw(&rest, name, (size_t)name[0] + 1);
  put_u64(&rest, 0);
  answer(peer, 1, QUEUE_DECLARE_OK, rest.data, rest.length);
  free(rest.data);
}

/* Forgets a queue; producers that remember its place look it up again by the -1 in `target`. */
static void on_delete(struct sink *sink, struct sink_peer *peer, const uint8_t *name) {
  int index = queue_find(sink, name);
  if (index >= 0) sink->queues[index] = sink->queues[--sink->queue_count];
  for (struct sink_peer *other = sink->peers; other; other = other->next) other->target = -1;
  answer(peer, 1, QUEUE_DELETE_OK, "\0\0\0\0", 4);
}

static void on_consume(struct sink *sink, struct sink_peer *peer, const uint8_t *queue) {
  const uint8_t *tag = queue + 1 + queue[0];
  int index = queue_find(sink, queue);
  if (index >= 0) sink->queues[index].consumer = peer;
  peer->manual = !(tag[1 + tag[0]] & 2);
  peer->consumer = true;
  peer->flooding = !sink->options->sink_relay;
  if (peer->flooding && peer->flood.length == 0) put_raw(&peer->flood, sink->flood.data, sink->flood.length);
  answer(peer, 1, BASIC_CONSUME_OK, tag, (size_t)tag[0] + 1);
}

/* The routing key of the default exchange is a queue; every other exchange passes on to all queues. */
static void on_publish(struct sink *sink, struct sink_peer *peer, const uint8_t *exchange) {
  if (!sink->options->sink_relay) return;
  const uint8_t *key = exchange + 1 + exchange[0];
  peer->to_all = exchange[0] > 0;
  if (peer->to_all) return;
  const char *last = peer->target >= 0 ? sink->queues[peer->target].name : NULL;
  if (!last || strlen(last) != key[0] || memcmp(last, key + 1, key[0]) != 0) peer->target = queue_find(sink, key);
}

static void on_acknowledged(struct sink_peer *peer, const uint8_t *arguments) {
  if (arguments[8] & 1) peer->acknowledged = get_u64(arguments);
  else peer->acknowledged++;
}

static void on_method(struct sink *sink, struct sink_peer *peer, const struct frame *frame) {
  static const uint8_t open_ok[1] = {0}, channel_open_ok[4] = {0}, tune[8] = {7, 255, 0, 2, 0, 0, 0, 0};
  const uint8_t *arguments = frame->payload + 4;
  switch (frame_method(frame)) {
    case BASIC_PUBLISH: on_publish(sink, peer, arguments + 2); break;
    case BASIC_ACK: on_acknowledged(peer, arguments); break;
    case CONNECTION_START_OK: answer(peer, 0, CONNECTION_TUNE, tune, sizeof tune); break;
    case CONNECTION_OPEN: answer(peer, 0, CONNECTION_OPEN_OK, open_ok, 1); break;
    case CHANNEL_OPEN: answer(peer, 1, CHANNEL_OPEN_OK, channel_open_ok, 4); break;
    case EXCHANGE_DECLARE: answer(peer, 1, EXCHANGE_DECLARE_OK, NULL, 0); break;
    case EXCHANGE_DELETE: answer(peer, 1, EXCHANGE_DELETE_OK, NULL, 0); break;
    case QUEUE_DECLARE: on_declare(sink, peer, arguments + 2); break;
    case QUEUE_BIND: answer(peer, 1, QUEUE_BIND_OK, NULL, 0); break;
    case QUEUE_DELETE: on_delete(sink, peer, arguments + 2); break;
    case BASIC_QOS: peer->prefetch = get_u16(arguments + 4); answer(peer, 1, BASIC_QOS_OK, NULL, 0); break;
    case BASIC_CONSUME: on_consume(sink, peer, arguments + 2); break;
    case CONFIRM_SELECT: peer->confirming = true; answer(peer, 1, CONFIRM_SELECT_OK, NULL, 0); break;
    case CONNECTION_CLOSE: peer->flooding = false; answer(peer, 0, CONNECTION_CLOSE_OK, NULL, 0); break;
    default: break;
  }
}

static void relay_to(struct sink_peer *consumer, const uint8_t *frame, size_t length, bool header) {
  if (!consumer) return;
  if (header) put_deliver(&consumer->out, ++consumer->delivered);
  put_raw(&consumer->out, frame, length);
}

static void relay(struct sink *sink, const struct sink_peer *peer, const uint8_t *frame, size_t length) {
  bool header = frame[0] == FRAME_HEADER;
  if (peer->to_all)
    for (int i = 0; i < sink->queue_count; i++) relay_to(sink->queues[i].consumer, frame, length, header);
  else if (peer->target >= 0) relay_to(sink->queues[peer->target].consumer, frame, length, header);
}

static void on_content(struct sink *sink, struct sink_peer *peer, const struct frame *frame, size_t length) {
  if (frame->type == FRAME_HEADER) peer->body_left = get_u64(frame->payload + 4);
  else peer->body_left -= frame->size;
  if (peer->body_left == 0) peer->published++;
  if (sink->options->sink_relay) relay(sink, peer, frame->payload - 7, length);
}

/* Product "sink" and nothing more in the properties; PLAIN. */
static void greet(struct sink_peer *peer) {
  static const char properties[] = "\x07product" "S\0\0\0\x04sink";
  struct bytes rest = {0};
  put_u16(&rest, 0x0009);
  put_longstr(&rest, properties, sizeof properties - 1);
  put_longstr(&rest, "PLAIN", 5);
  put_longstr(&rest, "en_US", 5);
  answer(peer, 0, CONNECTION_START, rest.data, rest.length);
  free(rest.data);
  peer->greeted = true;
}

static size_t read_frames(struct sink *sink, struct sink_peer *peer) {
  size_t used = 0;
  struct frame frame;
  if (!peer->greeted && peer->in_length >= 8) {
    greet(peer);
    used = 8;
  }
  while (peer->greeted) {
    long length = frame_read(peer->in + used, peer->in_length - used, &frame);
    if (length < 0) die("the sink received something that is not a frame");
    if (length == 0) break;
    if (frame.type == FRAME_METHOD) on_method(sink, peer, &frame);
    else if (frame.type != FRAME_HEARTBEAT) on_content(sink, peer, &frame, (size_t)length);
    used += (size_t)length;
  }
  return used;
}

static void confirm(struct sink_peer *peer) {
  if (!peer->confirming || peer->confirmed == peer->published) return;
  uint8_t rest[9] = {[8] = 1};
  set_u64(rest, peer->confirmed = peer->published);
  answer(peer, 1, BASIC_ACK, rest, sizeof rest);
}

static void read_more(struct sink *sink, struct sink_peer *peer) {
  ssize_t got = recv(peer->fd, peer->in + peer->in_length, READ_BYTES - peer->in_length, 0);
  if (got <= 0) {
    peer->gone = got == 0 || (errno != EAGAIN && errno != EINTR);
    return;
  }
  peer->in_length += (size_t)got;
  size_t used = read_frames(sink, peer);
  memmove(peer->in, peer->in + used, peer->in_length - used);
  peer->in_length -= used;
  confirm(peer);
}

/* True when all of it is with the kernel. */
static bool write_some(struct sink_peer *peer, const uint8_t *data, size_t length, size_t *sent) {
  while (*sent < length) {
    ssize_t wrote = send(peer->fd, data + *sent, length - *sent, MSG_NOSIGNAL);
    if (wrote < 0) {
      if (errno != EAGAIN && errno != EINTR) peer->gone = true;
      return false;
    }
    *sent += (size_t)wrote;
  }
  return true;
}

static uint32_t flood_room(const struct sink *sink, const struct sink_peer *peer) {
  if (!peer->flooding) return 0;
  uint64_t room = sink->flood_messages;
  if (peer->manual && peer->prefetch > 0 && room > peer->prefetch - (peer->delivered - peer->acknowledged))
    room = peer->prefetch - (peer->delivered - peer->acknowledged);
  return (uint32_t)room;
}

static void flood(struct sink *sink, struct sink_peer *peer) {
  if (!write_some(peer, peer->flood.data, peer->flood_length, &peer->flood_sent)) return;
  uint32_t messages = flood_room(sink, peer);
  for (uint32_t i = 0; peer->manual && i < messages; i++)
    set_u64(peer->flood.data + (size_t)i * sink->flood_stride + TAG_OFFSET, peer->delivered + 1 + i);
  peer->delivered += messages;
  peer->flood_sent = 0;
  peer->flood_length = (size_t)messages * sink->flood_stride;
  write_some(peer, peer->flood.data, peer->flood_length, &peer->flood_sent);
}

static void flush(struct sink_peer *peer) {
  if (peer->flood_sent < peer->flood_length) return; /* in the middle of a delivery */
  if (write_some(peer, peer->out.data, peer->out.length, &peer->out_sent)) peer->out.length = peer->out_sent = 0;
}

bool sink_peer_wants_write(const struct sink_peer *peer) {
  return peer->out.length > 0 || peer->flood_sent < peer->flood_length || (peer->flooding && !peer->manual);
}

static void write_more(struct sink *sink, struct sink_peer *peer) {
  if (peer->gone) return;
  flush(peer);
  if (peer->consumer && peer->out.length == 0) flood(sink, peer);
}

void sink_peer_turn(struct sink *sink, struct sink_peer *peer, uint32_t events) {
  if (peer->gone) return;
  if (events & ~(uint32_t)EPOLLOUT) read_more(sink, peer);
  write_more(sink, peer);
  if (!sink->options->sink_relay) return;
  for (struct sink_peer *other = sink->peers; other; other = other->next)
    if (other->consumer && !other->gone && other->out.length > 0) flush(other);
}
