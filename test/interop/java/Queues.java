import static java.nio.charset.StandardCharsets.UTF_8;

import com.rabbitmq.client.AMQP;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What a queue can be told: dead letters, expiry, limits, order; and the exchanges beyond the four usual ones. */
final class Queues {
  static void register(Map<String, Interop.Scenario> scenarios) {
    scenarios.put("dead-letters", Queues::deadLetters);
    scenarios.put("expiry", Queues::expiry);
    scenarios.put("queue-expiry", Queues::queueExpiry);
    scenarios.put("limits", Queues::limits);
    scenarios.put("priorities", Queues::priorities);
    scenarios.put("single-active-consumer", Queues::singleActiveConsumer);
    scenarios.put("delivery-limit", Queues::deliveryLimit);
    scenarios.put("delayed-messages", Queues::delayedMessages);
    scenarios.put("consistent-hash", Queues::consistentHash);
    scenarios.put("transactions", Queues::transactions);
  }

  private static Map<String, Object> dyingTo(String dead, Map<String, Object> more) {
    Map<String, Object> arguments = new HashMap<>(more);
    arguments.put("x-dead-letter-exchange", "");
    arguments.put("x-dead-letter-routing-key", dead);
    return arguments;
  }

  /** One entry of x-death as text: queue, reason, count. The count is a Long, as programs cast it. */
  @SuppressWarnings("unchecked")
  private static List<String> deaths(Message message) {
    List<String> deaths = new ArrayList<>();
    for (Map<String, Object> death : (List<Map<String, Object>>) message.header("x-death")) {
      deaths.add(death.get("queue") + " " + death.get("reason") + " " + (Long) death.get("count"));
    }
    return deaths;
  }

  private static AMQP.BasicProperties expiring(String milliseconds) {
    return new AMQP.BasicProperties.Builder().expiration(milliseconds).build();
  }

  private static void deadLetters() throws Exception {
    String work = Client.own("work");
    String dead = Client.own("dead");
    Client client = Client.connect();
    client.queue(dead);
    client.queue(work, dyingTo(dead, Map.of()));
    AMQP.BasicProperties properties =
        new AMQP.BasicProperties.Builder().expiration("60000").headers(Map.of("mine", "stays")).build();
    for (int turn = 1; turn <= 2; turn++) {
      client.send("", work, "rejected", properties);
      client.get(work).reject();
      Client.eventually(() -> client.channel.queueDeclarePassive(dead).getMessageCount() == 1);
      Message letter = client.get(dead);
      Client.same(deaths(letter), List.of(work + " rejected " + 1));
      Client.same(letter.header("mine").toString(), "stays");
      Client.same(letter.header("x-first-death-queue").toString(), work);
      Client.same(letter.header("x-first-death-reason").toString(), "rejected");
      Client.same(letter.properties().getExpiration(), null);
      letter.ack();
    }
    client.channel.queueDelete(work);
    client.channel.queueDelete(dead);
  }

  private static void expiry() throws Exception {
    String retry = Client.own("retry");
    String work = Client.own("work");
    Client client = Client.connect();
    client.queue(retry, dyingTo(work, Map.of("x-message-ttl", 100)));
    client.queue(work, dyingTo(retry, Map.of()));
    client.send("", work, "again and again");
    Client.Inbox inbox = client.consume(work, false);
    inbox.next().reject();
    inbox.next().reject();
    Message third = inbox.next();
    Client.same(deaths(third), List.of(retry + " expired 2", work + " rejected 2"));
    third.ack();
    client.channel.basicCancel("consumer of " + work);
    client.send("", work, "short", expiring("50"));
    client.send("", work, "long", expiring("60000"));
    Client.eventually(() -> client.channel.queueDeclarePassive(work).getMessageCount() == 1);
    Client.same(client.get(work).text(), "long");
    client.channel.queueDelete(work);
    client.channel.queueDelete(retry);
  }

  private static void queueExpiry() throws Exception {
    String fleeting = Client.own("fleeting");
    Client client = Client.connect();
    client.queue(fleeting, Map.of("x-expires", 200));
    Thread.sleep(2000); // To look at it would be a use.
    client.refused("NOT_FOUND", other -> other.channel.queueDeclarePassive(fleeting));
  }

  private static void limits() throws Exception {
    String dropping = Client.own("dropping");
    String refusing = Client.own("refusing");
    String dead = Client.own("dead");
    Client client = Client.connect();
    client.queue(dead);
    client.queue(dropping, dyingTo(dead, Map.of("x-max-length", 2)));
    client.queue(refusing, Map.of("x-max-length", 2, "x-overflow", "reject-publish"));
    for (String body : List.of("one", "two", "three")) client.send("", dropping, body);
    Client.eventually(() -> client.channel.queueDeclarePassive(dead).getMessageCount() == 1);
    Message letter = client.get(dead);
    Client.same(letter.text(), "one");
    Client.same(deaths(letter), List.of(dropping + " maxlen 1"));
    letter.ack();
    Client.same(client.drain(dropping), List.of("two", "three"));

    List<Boolean> verdicts = new ArrayList<>();
    for (String body : List.of("one", "two", "three")) {
      client.channel.basicPublish("", refusing, new AMQP.BasicProperties(), body.getBytes(UTF_8));
      verdicts.add(client.channel.waitForConfirms(10_000));
    }
    Client.same(verdicts, List.of(true, true, false));
    Client.same(client.drain(refusing), List.of("one", "two"));
    for (String queue : List.of(dropping, refusing, dead)) client.channel.queueDelete(queue);
  }

  private static void priorities() throws Exception {
    String queue = Client.own("prioritised");
    Client client = Client.connect();
    client.queue(queue, Map.of("x-max-priority", 10));
    int[] priorities = {1, 5, 0, 10, 5, 200};
    for (int at = 0; at < priorities.length; at++) {
      client.send(
          "", queue, Integer.toString(at), new AMQP.BasicProperties.Builder().priority(priorities[at]).build());
    }
    Client.same(client.drain(queue), List.of("3", "5", "1", "4", "0", "2"));
    client.channel.queueDelete(queue);

    String shared = Client.own("ranked");
    client.queue(shared);
    Client.Inbox low = client.consume(shared, true);
    Client first = Client.connect();
    Client.Inbox high = first.consume(shared, true, Map.of("x-priority", 10));
    for (String body : List.of("one", "two")) client.send("", shared, body);
    Client.same(high.bodies(2), List.of("one", "two"));
    first.connection.close();
    client.send("", shared, "three");
    Client.same(low.bodies(1), List.of("three"));
    client.channel.queueDelete(shared);
  }

  private static void singleActiveConsumer() throws Exception {
    String queue = Client.own("single");
    Client sender = Client.connect();
    sender.queue(queue, Map.of("x-single-active-consumer", true));
    Client first = Client.connect();
    Client second = Client.connect();
    Client.Inbox active = first.consume(queue, false);
    Client.Inbox waiting = second.consume(queue, false);
    for (String body : List.of("one", "two")) sender.send("", queue, body);
    Client.same(active.bodies(2), List.of("one", "two"));
    waiting.nothingMore();
    first.connection.close();
    Message again = waiting.next();
    Client.same(List.of(again.text(), again.redelivered()), List.of("one", true));
    Client.same(waiting.next().text(), "two");
    sender.channel.queueDelete(queue);
  }

  private static void deliveryLimit() throws Exception {
    String queue = Client.own("limited");
    String dead = Client.own("dead");
    Client client = Client.connect();
    client.queue(dead);
    client.queue(queue, dyingTo(dead, Map.of("x-queue-type", "quorum", "x-delivery-limit", 2)));
    client.send("", queue, "poison", new AMQP.BasicProperties.Builder().deliveryMode(2).build());
    Client.Inbox inbox = client.consume(queue, false);
    for (Long count : new Long[] {null, 1L, 2L}) {
      Message message = inbox.next();
      Client.same(message.header("x-delivery-count"), count);
      message.requeue();
    }
    Client.eventually(() -> client.channel.queueDeclarePassive(dead).getMessageCount() == 1);
    Client.same(deaths(client.get(dead)), List.of(queue + " delivery_limit 1"));
    client.channel.queueDelete(queue);
    client.channel.queueDelete(dead);
  }

  private static void delayedMessages() throws Exception {
    String exchange = Client.own("delayed");
    Client client = Client.connect();
    client.channel.exchangeDeclare(
        exchange, "x-delayed-message", true, false, Map.of("x-delayed-type", "direct"));
    String queue = client.ownQueue(exchange, Map.of(), "key");
    Client.Inbox inbox = client.consume(queue, true);
    for (int delay : new int[] {600, 300, 0}) {
      Map<String, Object> headers = delay == 0 ? Map.of() : Map.of("x-delay", delay);
      client.send(
          exchange, "key", "after " + delay, new AMQP.BasicProperties.Builder().headers(headers).build());
    }
    Client.same(inbox.bodies(3), List.of("after 0", "after 300", "after 600"));
    client.channel.exchangeDelete(exchange);
  }

  private static void consistentHash() throws Exception {
    String exchange = Client.own("hashed");
    Client client = Client.connect();
    client.exchange(exchange, "x-consistent-hash", true);
    List<String> queues = new ArrayList<>();
    for (int number = 0; number < 4; number++) queues.add(client.ownQueue(exchange, Map.of(), "10"));
    for (int number = 0; number < 400; number++) {
      client.channel.basicPublish(exchange, "key " + number % 200, null, ("" + number % 200).getBytes(UTF_8));
    }
    client.channel.waitForConfirmsOrDie(15_000);
    int sum = 0;
    for (String queue : queues) {
      List<String> bodies = client.drain(queue);
      // Each key went where it went before, and every queue has some.
      List<String> half = bodies.subList(0, bodies.size() / 2);
      Client.same(bodies.subList(bodies.size() / 2, bodies.size()), half);
      Client.same(bodies.size() > 20, true);
      sum += bodies.size();
    }
    Client.same(sum, 400);
    client.channel.exchangeDelete(exchange);
  }

  private static void transactions() throws Exception {
    String queue = Client.own("transacted");
    Client watcher = Client.connect();
    watcher.queue(queue);
    com.rabbitmq.client.Channel channel = Client.connect().connection.createChannel();
    channel.txSelect();
    channel.basicPublish("", queue, null, "rolled back".getBytes(UTF_8));
    channel.txRollback();
    channel.basicPublish("", queue, null, "committed".getBytes(UTF_8));
    Client.same(watcher.get(queue), null);
    channel.txCommit();
    Client.same(watcher.drain(queue), List.of("committed"));
    watcher.channel.queueDelete(queue);
  }
}
