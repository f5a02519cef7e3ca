import com.rabbitmq.client.AMQP;
import java.math.BigDecimal;
import java.util.Arrays;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** What the broker refuses, takes away, and must not change; and what outlives it. */
final class Edges {
  static void register(Map<String, Interop.Scenario> scenarios) {
    scenarios.put("channel-error", Edges::channelError);
    scenarios.put("cancel-notify", Edges::cancelNotify);
    scenarios.put("header-types", Edges::headerTypes);
    scenarios.put("survival-leave", Edges::leave);
    scenarios.put("survival-check", Edges::check);
  }

  private static void channelError() throws Exception {
    String queue = Client.own("steady");
    String missing = Client.own("missing");
    Client client = Client.connect();
    client.queue(queue);
    client.refused(
        "NOT_FOUND - no queue '" + missing + "'", other -> other.channel.queueDeclarePassive(missing));
    client.refused(
        "PRECONDITION_FAILED - inequivalent arg 'durable'",
        other -> other.channel.queueDeclare(queue, false, false, false, null));
    client.refused("NOT_FOUND - no exchange '" + missing + "'", other -> other.send(missing, "", ""));
    client.refused("ACCESS_REFUSED", other -> other.queue("amq.mine"));
    // The errors closed their channels; this one never noticed.
    client.send("", queue, "still here");
    Client.same(client.get(queue).text(), "still here");
    client.channel.queueDelete(queue);
  }

  private static void cancelNotify() throws Exception {
    String queue = Client.own("doomed");
    Client client = Client.connect();
    Client other = Client.connect();
    client.queue(queue);
    Client.Inbox inbox = client.consume(queue, false);
    Client.same(other.queue(queue).getConsumerCount(), 1);
    other.channel.queueDelete(queue);
    Client.same(inbox.cancelled.poll(10, TimeUnit.SECONDS), "consumer of " + queue);
  }

  private static void headerTypes() throws Exception {
    Client client = Client.connect();
    String name = client.ownQueue("", Map.of());
    Map<String, Object> headers = new HashMap<>();
    headers.put("text", "grüße, 世界");
    headers.put("empty", "");
    headers.put("yes", true);
    headers.put("no", false);
    headers.put("byte", (byte) -7);
    headers.put("short", (short) -300);
    headers.put("small", 7);
    headers.put("negative", -5);
    headers.put("large", 1L << 40);
    headers.put("little long", 7L);
    headers.put("single", 0.5f);
    headers.put("fraction", 1.5d);
    headers.put("whole double", 2.0d);
    headers.put("decimal", new BigDecimal("3.14"));
    headers.put("time", new Date(1_000_000_000_000L));
    headers.put("bytes", new byte[] {0, 1, -1});
    headers.put("nothing", null);
    headers.put("table", Map.of("a", Map.of("b", Map.of("c", "deep"))));
    headers.put("list", Arrays.asList(1, "two", List.of(3, false), Map.of("four", 4), null));
    headers.put("long", "x".repeat(5000));
    client.send("", name, "", new AMQP.BasicProperties.Builder().headers(headers).build());
    Message message = client.get(name);
    Client.same(message.properties().getHeaders().keySet(), headers.keySet());
    for (Map.Entry<String, Object> entry : headers.entrySet()) {
      Object found = message.header(entry.getKey());
      Object wanted = entry.getValue();
      // The library reads text as a LongString, also within lists and tables.
      boolean isText = wanted instanceof String || wanted instanceof Map || wanted instanceof List;
      Client.same(isText ? found.toString() : found, isText ? wanted.toString() : wanted);
    }
    Client.same(message.body().length, 0);
  }

  private static void leave() throws Exception {
    String queue = Client.own("survivors");
    String exchange = Client.own("lasting");
    Client client = Client.connect();
    client.exchange(exchange, "direct", true);
    client.queue(queue);
    client.channel.queueBind(queue, exchange, "key");
    for (String body : List.of("one", "two", "three")) {
      AMQP.BasicProperties properties =
          new AMQP.BasicProperties.Builder().deliveryMode(2).headers(Map.of("body", body)).build();
      client.send(exchange, "key", body, properties);
      client.send(exchange, "key", "transient");
    }
  }

  private static void check() throws Exception {
    String queue = Client.own("survivors");
    String exchange = Client.own("lasting");
    Client client = Client.connect();
    // The persistent three, and no transient one.
    Client.same(client.channel.queueDeclarePassive(queue).getMessageCount(), 3);
    for (String body : List.of("one", "two", "three")) {
      Message message = client.get(queue);
      Client.same(List.of(message.text(), message.header("body").toString()), List.of(body, body));
      Client.same(message.properties().getDeliveryMode(), 2);
      message.ack();
    }
    client.send(exchange, "key", "again"); // the binding is there too
    Client.same(client.get(queue).text(), "again");
    client.channel.queueDelete(queue);
    client.channel.exchangeDelete(exchange);
  }
}
