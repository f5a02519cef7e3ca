import static java.nio.charset.StandardCharsets.UTF_8;

import com.rabbitmq.client.AMQP;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Who gets a message: fanout, topics, headers, and nobody at all. */
final class Routing {
  static void register(Map<String, Interop.Scenario> scenarios) {
    scenarios.put("log-fanout", Routing::logFanout);
    scenarios.put("topic-logs", Routing::topicLogs);
    scenarios.put("headers-any-all", Routing::headersAnyAll);
    scenarios.put("mandatory-return", Routing::mandatoryReturn);
  }

  private static void logFanout() throws Exception {
    String exchange = Client.own("log");
    Client anna = Client.connect();
    Client ben = Client.connect();
    Client writer = Client.connect();
    writer.exchange(exchange, "fanout", false);
    List<String> queues = new ArrayList<>();
    List<Client.Inbox> inboxes = new ArrayList<>();
    for (Client listener : List.of(anna, ben)) {
      String name = listener.ownQueue(exchange, Map.of(), "");
      Client.same(name.startsWith("amq.gen-"), true);
      queues.add(name);
      inboxes.add(listener.consume(name, true));
    }
    Client.same(queues.get(0).equals(queues.get(1)), false);
    List<String> lines = List.of("one", "two", "three");
    for (String line : lines) writer.send(exchange, "", line);
    for (Client.Inbox inbox : inboxes) Client.same(inbox.bodies(3), lines);

    // Exclusive: nobody else may even look at it while its owner lives, and it is gone when the owner is.
    writer.refused("RESOURCE_LOCKED", other -> other.channel.queueDeclarePassive(queues.get(0)));
    anna.connection.close();
    ben.connection.close();
    for (String name : queues) writer.refused("NOT_FOUND", other -> other.channel.queueDeclarePassive(name));
    writer.channel.exchangeDelete(exchange);
  }

  private static Client.Inbox listen(Client client, String exchange, String... patterns) throws Exception {
    return client.consume(client.ownQueue(exchange, Map.of(), patterns), true);
  }

  private static void topicLogs() throws Exception {
    String exchange = Client.own("topic");
    Client client = Client.connect();
    client.exchange(exchange, "topic", false);
    Client.Inbox idle = listen(client, exchange, "#.notImportant");
    Client.Inbox busy = listen(client, exchange, "*.*.important");
    Client.Inbox both = listen(client, exchange, "#.notImportant", "*.*.important", "#");
    List<String> keys =
        List.of(
            "notImportant", "a.notImportant", "a.b.c.d.notImportant", "notImportant.a", "important", "a.important",
            "a.b.important", "a.b.c.important", "..important", "a.b.notImportant", "c.d.important");
    for (String key : keys) client.send(exchange, key, key);
    Client.same(both.bodies(keys.size()), keys);
    Client.same(
        idle.bodies(4), List.of("notImportant", "a.notImportant", "a.b.c.d.notImportant", "a.b.notImportant"));
    Client.same(busy.bodies(3), List.of("a.b.important", "..important", "c.d.important"));
    idle.nothingMore();
    busy.nothingMore();
    client.channel.exchangeDelete(exchange);
  }

  private static void headersAnyAll() throws Exception {
    String exchange = Client.own("headers");
    Client client = Client.connect();
    client.exchange(exchange, "headers", false);
    List<Client.Inbox> inboxes = new ArrayList<>();
    for (String match : List.of("all", "any")) {
      Map<String, Object> table = Map.of("x-match", match, "format", "pdf", "pages", 2);
      inboxes.add(client.consume(client.ownQueue(exchange, table, ""), true));
    }
    Object[][] messages = {
      {"neither", Map.of("format", "txt", "pages", 3)},
      {"format", Map.of("format", "pdf")},
      {"pages", Map.of("format", "txt", "pages", 2)},
      {"none", Map.of()},
      {"both", Map.of("format", "pdf", "pages", 2, "more", true)},
    };
    for (Object[] message : messages) {
      @SuppressWarnings("unchecked")
      Map<String, Object> headers = (Map<String, Object>) message[1];
      client.send(
          exchange, "", (String) message[0], new AMQP.BasicProperties.Builder().headers(headers).build());
    }
    Client.same(inboxes.get(1).bodies(3), List.of("format", "pages", "both"));
    Client.same(inboxes.get(0).bodies(1), List.of("both"));
    inboxes.get(0).nothingMore();
    client.channel.exchangeDelete(exchange);
  }

  private static void mandatoryReturn() throws Exception {
    Client client = Client.connect();
    List<String> events = new ArrayList<>();
    client.channel.addReturnListener(
        back -> events.add(back.getReplyCode() + " " + back.getReplyText() + " " + new String(back.getBody(), UTF_8)));
    client.publish("", Client.own("nobody"), true, new AMQP.BasicProperties(), "lost?".getBytes(UTF_8));
    // It stands here already, since the broker returns before it confirms.
    Client.same(events, List.of("312 NO_ROUTE lost?"));
    client.send("", Client.own("nobody"), "dropped");
    String name = client.ownQueue("", Map.of());
    client.publish("", name, true, new AMQP.BasicProperties(), "found".getBytes(UTF_8));
    Client.same(events.size(), 1);
    Client.same(client.get(name).text(), "found");
  }
}
