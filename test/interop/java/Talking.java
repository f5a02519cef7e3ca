import static java.nio.charset.StandardCharsets.UTF_8;

import com.rabbitmq.client.AMQP;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Questions with answers, and chats. */
final class Talking {
  static void register(Map<String, Interop.Scenario> scenarios) {
    scenarios.put("rpc-reply-queue", Talking::replyQueue);
    scenarios.put("rpc-direct-reply-to", Talking::directReplyTo);
    scenarios.put("chat-rooms", Talking::chatRooms);
    scenarios.put("chat-for-all", Talking::chatForAll);
  }

  private static void replyQueue() throws Exception {
    Client server = Client.connect();
    server.channel.queueDelete("rpc_queue");
    server.channel.queueDeclare("rpc_queue", false, false, false, null);
    Client client = Client.connect();
    ask(client, server, client.ownQueue("", Map.of()));
  }

  private static void directReplyTo() throws Exception {
    Client server = Client.connect();
    server.channel.queueDelete("rpc_queue");
    server.channel.queueDeclare("rpc_queue", false, false, false, null);
    ask(Client.connect(), server, "amq.rabbitmq.reply-to");
  }

  private static void ask(Client client, Client server, String replyTo) throws Exception {
    server.channel.basicQos(1);
    Client.Inbox questions = server.consume("rpc_queue", false);
    Client.Inbox answers = client.consume(replyTo, true);
    Map<String, Integer> asked = new HashMap<>(Map.of("first", 1, "second", 41, "third", 1_000_000));
    for (Map.Entry<String, Integer> question : asked.entrySet()) {
      AMQP.BasicProperties properties =
          new AMQP.BasicProperties.Builder().correlationId(question.getKey()).replyTo(replyTo).build();
      client.send("", "rpc_queue", question.getValue().toString(), properties);
    }
    for (int turn = 0; turn < 3; turn++) {
      Message question = questions.next();
      AMQP.BasicProperties properties =
          new AMQP.BasicProperties.Builder().correlationId(question.properties().getCorrelationId()).build();
      String answer = Integer.toString(Integer.parseInt(question.text()) + 1);
      server.send("", question.properties().getReplyTo(), answer, properties);
      question.ack();
    }
    while (!asked.isEmpty()) {
      Message answer = answers.next();
      int n = asked.remove(answer.properties().getCorrelationId());
      Client.same(answer.text(), Integer.toString(n + 1));
    }
    client.channel.queueDelete("rpc_queue");
  }

  /** A person in a chat; the test has made the users alice and bob, with the password "secret". */
  private static final class Person {
    final String user;
    final Client client;
    final String queue;
    final Client.Inbox inbox;

    Person(String user) throws Exception {
      this.user = user;
      client = Client.connect(user, "secret");
      client.exchange(Client.own("rooms"), "direct", false);
      queue = client.ownQueue("", Map.of());
      inbox = client.consume(queue, true);
    }

    void join(String room) throws Exception {
      client.channel.queueBind(queue, Client.own("rooms"), room);
    }

    void leave(String room) throws Exception {
      client.channel.queueUnbind(queue, Client.own("rooms"), room);
    }

    void say(String room, String text) throws Exception {
      say(client, user, room, text);
    }

    static void say(Client client, String as, String room, String text) throws Exception {
      client.send(Client.own("rooms"), room, text, new AMQP.BasicProperties.Builder().userId(as).build());
    }

    void hears(String line) throws Exception {
      Message message = inbox.next();
      Client.same(
          "[" + message.envelope().getRoutingKey() + "] " + message.properties().getUserId() + ": " + message.text(),
          line);
    }
  }

  private static void chatRooms() throws Exception {
    Person alice = new Person("alice");
    Person bob = new Person("bob");
    alice.join("kitchen");
    bob.join("garden");
    alice.say("kitchen", "anybody?");
    alice.hears("[kitchen] alice: anybody?");

    bob.leave("garden");
    bob.join("kitchen");
    alice.say("garden", "and here?");
    bob.say("kitchen", "me");
    alice.hears("[kitchen] bob: me");
    bob.hears("[kitchen] bob: me");

    alice.client.refused(
        "PRECONDITION_FAILED - user_id property set to 'bob' but authenticated user was 'alice'",
        other -> Person.say(other, "bob", "kitchen", "I am a fool"));

    bob.leave("kitchen");
    alice.say("kitchen", "gone?");
    alice.hears("[kitchen] alice: gone?");
    bob.inbox.nothingMore();
    alice.client.channel.exchangeDelete(Client.own("rooms"));
  }

  private static void chatForAll() throws Exception {
    String exchange = Client.own("all");
    List<Client> people = List.of(Client.connect(), Client.connect(), Client.connect());
    List<Client.Inbox> inboxes = new ArrayList<>();
    for (Client person : people) {
      person.exchange(exchange, "fanout", false);
      inboxes.add(person.consume(person.ownQueue(exchange, Map.of(), ""), true));
    }
    for (int number = 0; number < 3; number++) {
      AMQP.BasicProperties properties = new AMQP.BasicProperties.Builder().userId("guest").build();
      people.get(number).publish(exchange, "ignored", false, properties, ("hello from " + number).getBytes(UTF_8));
    }
    for (Client.Inbox inbox : inboxes) {
      for (int number = 0; number < 3; number++) {
        Message message = inbox.next();
        Client.same(
            List.of(message.properties().getUserId(), message.text()), List.of("guest", "hello from " + number));
      }
    }
    people.get(0).channel.exchangeDelete(exchange);
  }
}
