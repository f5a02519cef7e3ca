import static java.nio.charset.StandardCharsets.UTF_8;

import com.rabbitmq.client.AMQP;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Queues that share out work, and what happens when it goes wrong. */
final class Working {
  private static final int TASKS = 5;

  static void register(Map<String, Interop.Scenario> scenarios) {
    scenarios.put("tasks-sender-first", Working::senderFirst);
    scenarios.put("tasks-receiver-first", Working::receiverFirst);
    scenarios.put("share-evenly", Working::shareEvenly);
    scenarios.put("killed-consumer", Working::killedConsumer);
    scenarios.put("victim", Working::victim);
    scenarios.put("requeue-in-place", Working::requeueInPlace);
    scenarios.put("publisher-confirms", Working::publisherConfirms);
    scenarios.put("image-upload", Working::imageUpload);
  }

  private static Map<String, Object> taskHeaders(int number) {
    return Map.of("number", number, "colour", "red", "nested", Map.of("deep", List.of(1, "two", true)));
  }

  private static void sendTasks(Client client, String queue) throws Exception {
    client.queue(queue);
    for (int number = 1; number <= TASKS; number++) {
      AMQP.BasicProperties properties =
          new AMQP.BasicProperties.Builder()
              .deliveryMode(2)
              .contentType("text/plain")
              .headers(taskHeaders(number))
              .build();
      client.publish("", queue, true, properties, ("task " + number).getBytes(UTF_8));
    }
  }

  /** Prefetch 1: with one task in hand the rest stays in the queue, however long the work takes. */
  private static void workThrough(Client worker, Client watcher, Client.Inbox inbox, String queue) throws Exception {
    for (int number = 1; number <= TASKS; number++) {
      Message task = inbox.next();
      Client.same(task.text(), "task " + number);
      Client.same(task.properties().getDeliveryMode(), 2);
      Client.same(task.properties().getContentType(), "text/plain");
      Client.same(task.header("number"), number);
      Client.same(task.header("colour").toString(), "red");
      Client.same(task.header("nested").toString(), "{deep=[1, two, true]}");
      AMQP.Queue.DeclareOk look = watcher.channel.queueDeclarePassive(queue);
      Client.same(List.of(look.getMessageCount(), look.getConsumerCount()), List.of(TASKS - number, 1));
      inbox.nothingMore();
      task.ack();
    }
    worker.channel.basicCancel("consumer of " + queue);
    worker.channel.queueDelete(queue);
  }

  private static void senderFirst() throws Exception {
    String queue = Client.own("tasks");
    sendTasks(Client.connect(), queue);
    Client worker = Client.connect();
    worker.channel.basicQos(1);
    workThrough(worker, Client.connect(), worker.consume(queue, false), queue);
  }

  private static void receiverFirst() throws Exception {
    String queue = Client.own("tasks");
    Client worker = Client.connect();
    worker.queue(queue);
    worker.channel.basicQos(1);
    Client.Inbox inbox = worker.consume(queue, false);
    Client sender = Client.connect();
    sendTasks(sender, queue);
    workThrough(worker, sender, inbox, queue);
  }

  private static void shareEvenly() throws Exception {
    String queue = Client.own("shared");
    Client anna = Client.connect();
    Client ben = Client.connect();
    Client sender = Client.connect();
    anna.queue(queue);
    List<Client.Inbox> inboxes = List.of(anna.consume(queue, true), ben.consume(queue, true));
    for (int number = 0; number < 20; number++) sender.send("", queue, Integer.toString(number));
    for (int parity = 0; parity < 2; parity++) {
      List<String> wanted = new ArrayList<>();
      for (int number = parity; number < 20; number += 2) wanted.add(Integer.toString(number));
      Client.same(inboxes.get(parity).bodies(10), wanted);
    }
    sender.channel.queueDelete(queue);
  }

  private static void killedConsumer() throws Exception {
    String queue = Client.own("jobs");
    Client sender = Client.connect();
    sender.queue(queue);
    sender.send("", queue, "one");
    sender.send("", queue, "two");

    String java = ProcessHandle.current().info().command().orElse("java");
    ProcessBuilder command =
        new ProcessBuilder(java, "-cp", System.getProperty("java.class.path"), "Interop", "victim");
    Process child = command.redirectError(ProcessBuilder.Redirect.INHERIT).start();
    BufferedReader output = new BufferedReader(new InputStreamReader(child.getInputStream(), UTF_8));
    Client.same(output.readLine(), "holds one, redelivered false");
    child.destroyForcibly().waitFor();

    Client.eventually(() -> sender.channel.queueDeclarePassive(queue).getMessageCount() == 2);
    Client.Inbox inbox = Client.connect().consume(queue, false);
    Message first = inbox.next();
    Message second = inbox.next();
    Client.same(List.of(first.text(), first.redelivered()), List.of("one", true));
    Client.same(List.of(second.text(), second.redelivered()), List.of("two", false));
    first.ack();
    second.ack();
    sender.channel.queueDelete(queue);
  }

  /** Holds one message until it is killed; a part of killedConsumer. */
  private static void victim() throws Exception {
    Client client = Client.connect();
    client.channel.basicQos(1);
    Message message = client.consume(Client.own("jobs"), false).next();
    System.out.println("holds " + message.text() + ", redelivered " + message.redelivered());
    Thread.sleep(60_000);
  }

  private static void requeueInPlace() throws Exception {
    String queue = Client.own("line");
    Client client = Client.connect();
    client.queue(queue);
    for (String body : List.of("one", "two", "three")) client.send("", queue, body);
    Message first = client.get(queue);
    Message second = client.get(queue);
    second.requeue();
    first.requeue();
    List<String> again = new ArrayList<>();
    for (int turn = 0; turn < 3; turn++) {
      Message message = client.get(queue);
      again.add(message.text() + " " + message.redelivered());
      message.ack();
    }
    Client.same(again, List.of("one true", "two true", "three false"));
    Client.same(client.get(queue), null);
    client.channel.queueDelete(queue);
  }

  private static void publisherConfirms() throws Exception {
    String queue = Client.own("confirmed");
    Client client = Client.connect();
    client.queue(queue);
    for (int number = 0; number < 1000; number++) {
      AMQP.BasicProperties properties = new AMQP.BasicProperties.Builder().deliveryMode(1 + number % 2).build();
      client.channel.basicPublish("", queue, properties, Integer.toString(number).getBytes(UTF_8));
    }
    client.channel.waitForConfirmsOrDie(15_000);
    Client.same(client.channel.queueDeclarePassive(queue).getMessageCount(), 1000);
    client.channel.basicQos(100);
    Client.Inbox inbox = client.consume(queue, false);
    for (int number = 0; number < 1000; number++) {
      Message message = inbox.next();
      Client.same(message.text(), Integer.toString(number));
      message.ack();
    }
    client.channel.basicCancel("consumer of " + queue);
    Client.same(client.get(queue), null);
    client.channel.queueDelete(queue);
  }

  private static String digest(byte[] body) throws Exception {
    return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(body));
  }

  private static void imageUpload() throws Exception {
    Client uploader = Client.connect();
    String exchange = Client.own("images");
    uploader.exchange(exchange, "fanout", true);
    String replyTo = uploader.ownQueue("", Map.of());
    Client.Inbox answers = uploader.consume(replyTo, true);
    List<String> queues = List.of(Client.own("faces"), Client.own("thumbnails"));
    List<Client.Inbox> workers = new ArrayList<>();
    for (String queue : queues) {
      Client worker = Client.connect();
      worker.queue(queue);
      worker.channel.queueBind(queue, exchange, "");
      workers.add(worker.consume(queue, false));
    }
    // More than one frame (the usual frame-max is 128 KiB), and one that fills its last frame to the byte.
    for (int size : new int[] {102_400, 131_064, 131_072, 300_001}) {
      byte[] image = new byte[size];
      new Random(size).nextBytes(image);
      AMQP.BasicProperties properties =
          new AMQP.BasicProperties.Builder()
              .deliveryMode(2)
              .replyTo(replyTo)
              .contentType("application/octet-stream")
              .build();
      uploader.publish(exchange, "", false, properties, image);
      for (int at = 0; at < 2; at++) {
        Message work = workers.get(at).next();
        work.client().send("", work.properties().getReplyTo(), queues.get(at) + " " + digest(work.body()));
        work.ack();
      }
      List<String> wanted = queues.stream().map(queue -> queue + " ").toList();
      String hash = digest(image);
      Client.same(answers.bodies(2), wanted.stream().map(text -> text + hash).toList());
    }
    for (String queue : queues) uploader.channel.queueDelete(queue);
    uploader.channel.exchangeDelete(exchange);
  }
}
