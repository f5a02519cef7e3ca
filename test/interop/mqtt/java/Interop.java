import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.eclipse.paho.client.mqttv3.MqttClient;
import org.eclipse.paho.client.mqttv3.MqttConnectOptions;
import org.eclipse.paho.mqttv5.common.MqttMessage;
import org.eclipse.paho.mqttv5.common.packet.MqttProperties;
import org.eclipse.paho.mqttv5.common.packet.UserProperty;

/** paho for Java, 3.1.1 and 5.0, against the broker at MQTT_PORT: every QoS, a session that waits, properties. */
public class Interop {
  static final String URL = "tcp://127.0.0.1:" + System.getenv("MQTT_PORT");

  static void check(boolean holds, String what) {
    if (!holds) throw new AssertionError(what);
  }

  static <T> T next(BlockingQueue<T> from) throws InterruptedException {
    T value = from.poll(20, TimeUnit.SECONDS);
    check(value != null, "nothing came");
    return value;
  }

  static MqttClient old(String name, boolean clean) throws Exception {
    MqttClient client = new MqttClient(URL, name, new org.eclipse.paho.client.mqttv3.persist.MemoryPersistence());
    MqttConnectOptions options = new MqttConnectOptions();
    options.setMqttVersion(MqttConnectOptions.MQTT_VERSION_3_1_1);
    options.setCleanSession(clean);
    client.connect(options);
    return client;
  }

  static void talk() throws Exception {
    BlockingQueue<String> heard = new LinkedBlockingQueue<>();
    MqttClient client = old("java-talk", true);
    client.subscribe("java/+/#", 2, (topic, message) -> heard.add(topic + " " + message + " " + message.getQos()));
    for (int qos = 0; qos < 3; qos++) {
      client.publish("java/a.b/c", ("m" + qos).getBytes(), qos, false);
      check(next(heard).equals("java/a.b/c m" + qos + " " + qos), "QoS " + qos);
    }
    client.disconnect();
    client.close();
  }

  static void sleep() throws Exception {
    MqttClient sleeper = old("java-sleeper", false);
    sleeper.subscribe("java/sleep", 2);
    sleeper.disconnect();
    MqttClient talker = old("java-talker", true);
    for (int i = 0; i < 20; i++) talker.publish("java/sleep", ("" + i).getBytes(), 1 + i % 2, false);
    talker.disconnect();
    BlockingQueue<String> heard = new LinkedBlockingQueue<>();
    MqttClient back = new MqttClient(URL, "java-sleeper", new org.eclipse.paho.client.mqttv3.persist.MemoryPersistence());
    back.setCallback(
        new org.eclipse.paho.client.mqttv3.MqttCallback() {
          public void connectionLost(Throwable cause) {}

          public void messageArrived(String topic, org.eclipse.paho.client.mqttv3.MqttMessage message) {
            heard.add(message.toString());
          }

          public void deliveryComplete(org.eclipse.paho.client.mqttv3.IMqttDeliveryToken token) {}
        });
    MqttConnectOptions options = new MqttConnectOptions();
    options.setCleanSession(false);
    back.connect(options);
    int[] numbers = new int[20];
    for (int i = 0; i < 20; i++) numbers[i] = Integer.parseInt(next(heard));
    Arrays.sort(numbers);
    for (int i = 0; i < 20; i++) check(numbers[i] == i, "message " + i);
    back.disconnect();
    back.close();
  }

  static void properties() throws Exception {
    BlockingQueue<MqttMessage> heard = new LinkedBlockingQueue<>();
    var client = new org.eclipse.paho.mqttv5.client.MqttClient(URL, "java-five", new org.eclipse.paho.mqttv5.client.persist.MemoryPersistence());
    client.setCallback(
        new org.eclipse.paho.mqttv5.client.MqttCallback() {
          public void disconnected(org.eclipse.paho.mqttv5.client.MqttDisconnectResponse response) {}

          public void mqttErrorOccurred(org.eclipse.paho.mqttv5.common.MqttException exception) {}

          public void messageArrived(String topic, MqttMessage message) {
            heard.add(message);
          }

          public void deliveryComplete(org.eclipse.paho.mqttv5.client.IMqttToken token) {}

          public void connectComplete(boolean reconnect, String uri) {}

          public void authPacketArrived(int reason, MqttProperties properties) {}
        });
    client.connect();
    client.subscribe("java/five", 2);
    for (int qos = 0; qos < 3; qos++) {
      MqttMessage message = new MqttMessage("x".getBytes());
      message.setQos(qos);
      MqttProperties properties = new MqttProperties();
      properties.setUserProperties(List.of(new UserProperty("b", "1"), new UserProperty("a", "2"), new UserProperty("b", "3")));
      properties.setResponseTopic("answers");
      properties.setContentType("text/plain");
      message.setProperties(properties);
      client.publish("java/five", message);
      MqttMessage got = next(heard);
      check(got.getQos() == qos, "QoS " + got.getQos());
      String pairs = "";
      for (UserProperty pair : got.getProperties().getUserProperties()) pairs += pair.getKey() + pair.getValue();
      check(pairs.equals("b1a2b3"), pairs);
      check("answers".equals(got.getProperties().getResponseTopic()), "the response topic");
    }
    client.disconnect();
    client.close();
  }

  public static void main(String[] arguments) throws Exception {
    talk();
    sleep();
    properties();
    System.out.println("ok");
    System.exit(0);
  }
}
