import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Envelope;
import java.nio.charset.StandardCharsets;

/** A message in hand. */
record Message(Client client, Envelope envelope, AMQP.BasicProperties properties, byte[] body) {
  String text() {
    return new String(body, StandardCharsets.UTF_8);
  }

  boolean redelivered() {
    return envelope.isRedeliver();
  }

  /** Null when there is none. Text is a LongString of the library; its toString is the text. */
  Object header(String name) {
    return properties.getHeaders() == null ? null : properties.getHeaders().get(name);
  }

  void ack() throws Exception {
    client.channel.basicAck(envelope.getDeliveryTag(), false);
  }

  void requeue() throws Exception {
    client.channel.basicNack(envelope.getDeliveryTag(), false, true);
  }

  void reject() throws Exception {
    client.channel.basicReject(envelope.getDeliveryTag(), false);
  }
}
