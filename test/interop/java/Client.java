import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.ShutdownSignalException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** One connection and one channel in confirm mode. */
final class Client {
  private static final List<Connection> connections = new ArrayList<>();

  final Connection connection;
  final Channel channel;

  private Client(Connection connection) throws Exception {
    this.connection = connection;
    this.channel = connection.createChannel();
    channel.confirmSelect();
  }

  static Client connect() throws Exception {
    return connect(null, null);
  }

  static Client connect(String user, String password) throws Exception {
    ConnectionFactory factory = new ConnectionFactory();
    factory.setUri(System.getenv("AMQP_URL"));
    factory.setAutomaticRecoveryEnabled(false);
    if (user != null) {
      factory.setUsername(user);
      factory.setPassword(password);
    }
    Connection connection = factory.newConnection();
    connections.add(connection);
    return new Client(connection);
  }

  static void closeAll() {
    for (Connection connection : connections) connection.abort(5000);
  }

  static String own(String name) {
    return "java." + name;
  }

  static void same(Object found, Object wanted) {
    if (!Objects.deepEquals(found, wanted)) {
      throw new AssertionError("wanted " + shown(wanted) + ", found " + shown(found));
    }
  }

  private static String shown(Object value) {
    return Arrays.deepToString(new Object[] {value});
  }

  Client anotherChannel() throws Exception {
    return new Client(connection);
  }

  AMQP.Queue.DeclareOk queue(String name) throws Exception {
    return queue(name, Map.of());
  }

  AMQP.Queue.DeclareOk queue(String name, Map<String, Object> arguments) throws Exception {
    return channel.queueDeclare(name, true, false, false, arguments);
  }

  /** Exclusive, named by the broker, and bound with each key. */
  String ownQueue(String exchange, Map<String, Object> table, String... keys) throws Exception {
    String name = channel.queueDeclare().getQueue();
    for (String key : keys) channel.queueBind(name, exchange, key, table);
    return name;
  }

  void exchange(String name, String type, boolean durable) throws Exception {
    channel.exchangeDeclare(name, type, durable);
  }

  /** Returns when the broker has confirmed it; throws when it refused it, or closed the channel over it. */
  void publish(String exchange, String key, boolean mandatory, AMQP.BasicProperties properties, byte[] body)
      throws Exception {
    channel.basicPublish(exchange, key, mandatory, properties, body);
    channel.waitForConfirmsOrDie(15_000);
  }

  void send(String exchange, String key, String body) throws Exception {
    send(exchange, key, body, new AMQP.BasicProperties());
  }

  void send(String exchange, String key, String body, AMQP.BasicProperties properties) throws Exception {
    publish(exchange, key, false, properties, body.getBytes(StandardCharsets.UTF_8));
  }

  Inbox consume(String queue, boolean noAck) throws Exception {
    return consume(queue, noAck, Map.of());
  }

  Inbox consume(String queue, boolean noAck, Map<String, Object> arguments) throws Exception {
    Inbox inbox = new Inbox(this);
    channel.basicConsume(
        queue,
        noAck,
        "consumer of " + queue,
        false,
        false,
        arguments,
        (tag, delivery) ->
            inbox.waiting.add(new Message(this, delivery.getEnvelope(), delivery.getProperties(), delivery.getBody())),
        inbox.cancelled::add,
        (tag, signal) -> {});
    return inbox;
  }

  /** Null when there is none. */
  Message get(String queue) throws Exception {
    GetResponse response = channel.basicGet(queue, false);
    return response == null ? null : new Message(this, response.getEnvelope(), response.getProps(), response.getBody());
  }

  /** What is got until there is no more, as text. */
  List<String> drain(String queue) throws Exception {
    List<String> bodies = new ArrayList<>();
    for (Message message = get(queue); message != null; message = get(queue)) {
      bodies.add(message.text());
      message.ack();
    }
    return bodies;
  }

  interface Attempt {
    void on(Client channel) throws Exception;
  }

  /** Runs an attempt on a channel of its own, which the broker is expected to close with that text. */
  void refused(String text, Attempt attempt) throws Exception {
    Client other = anotherChannel();
    try {
      attempt.on(other);
    } catch (Exception failure) {
      ShutdownSignalException reason = other.channel.getCloseReason();
      String told = reason == null ? failure.toString() : reason.getMessage();
      if (!told.contains(text)) throw new AssertionError("wanted \"" + text + "\", found " + told);
      return;
    }
    throw new AssertionError("the broker accepted what it should refuse with " + text);
  }

  interface Condition {
    boolean holds() throws Exception;
  }

  static void eventually(Condition condition) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
    while (!condition.holds()) {
      if (System.nanoTime() > deadline) throw new AssertionError("it did not happen within 10 s");
      Thread.sleep(50);
    }
  }

  /** What a consumer gets, to be asked for one by one. */
  static final class Inbox {
    final Client client;
    final BlockingQueue<Message> waiting = new LinkedBlockingQueue<>();
    final BlockingQueue<String> cancelled = new LinkedBlockingQueue<>();

    private Inbox(Client client) {
      this.client = client;
    }

    Message next() throws Exception {
      Message message = waiting.poll(10, TimeUnit.SECONDS);
      if (message == null) throw new AssertionError("no further message came within 10 s");
      return message;
    }

    List<String> bodies(int count) throws Exception {
      List<String> bodies = new ArrayList<>();
      while (bodies.size() < count) bodies.add(next().text());
      return bodies;
    }

    void nothingMore() {
      if (!waiting.isEmpty()) throw new AssertionError(waiting.peek().text() + " should not have come");
    }
  }
}
