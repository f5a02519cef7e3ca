import java.io.BufferedReader;
import java.io.FileWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.eclipse.paho.client.mqttv3.IMqttActionListener;
import org.eclipse.paho.client.mqttv3.IMqttDeliveryToken;
import org.eclipse.paho.client.mqttv3.IMqttToken;
import org.eclipse.paho.client.mqttv3.MqttAsyncClient;
import org.eclipse.paho.client.mqttv3.MqttCallbackExtended;
import org.eclipse.paho.client.mqttv3.MqttConnectOptions;
import org.eclipse.paho.client.mqttv3.MqttException;
import org.eclipse.paho.client.mqttv3.MqttMessage;
import org.eclipse.paho.client.mqttv3.persist.MemoryPersistence;

/** paho with a list of nodes (setServerURIs) and automatic reconnect; what it is told and tells: test/cluster/clients/README.md. */
public class Failover {
  static PrintWriter ledger;
  static String name;
  static String[] uris;
  static int version;
  static int rate;
  static int window;
  /** Numbers that were given to the library, and of which it has said nothing yet. */
  static final Set<Integer> unconfirmed = ConcurrentHashMap.newKeySet();
  static volatile boolean isGoing;
  static volatile boolean isStopping;

  /** `more` is the inside of an object. */
  static synchronized void write(String kind, String more) {
    ledger.println("{\"t\":" + System.currentTimeMillis() + ",\"e\":\"" + kind + "\"" + more + "}");
    ledger.flush();
  }

  static String quoted(Object text) {
    return "\"" + String.valueOf(text).replaceAll("[^ -~]|[\"\\\\]", "?") + "\"";
  }

  static void trouble(String role, Object text) {
    write("trouble", ",\"role\":\"" + role + "\",\"text\":" + quoted(text));
  }

  /** `present`: null where the library does not say. */
  static void connected(String role, Boolean present, String uri) {
    write("connected", ",\"role\":\"" + role + "\",\"present\":" + present + ",\"text\":" + quoted(uri));
  }

  static void heard(byte[] payload, int qos, boolean dup) {
    String[] parts = new String(payload).split(" ");
    write("heard", ",\"c\":" + quoted(name) + ",\"p\":" + quoted(parts[0]) + ",\"id\":" + parts[1] + ",\"sent\":" + parts[2] + ",\"qos\":" + qos + ",\"dup\":" + dup);
  }

  static void confirmed(Integer id) {
    unconfirmed.remove(id);
    write("confirmed", ",\"p\":" + quoted(name) + ",\"id\":" + id);
  }

  /** Nobody knows what becomes of it: the library may send it again. */
  static void failed(Integer id, Throwable cause) {
    unconfirmed.remove(id);
    trouble("pub", id + ": " + cause);
  }

  /** A client with a session that is kept. */
  interface Lasting {
    void subscribe() throws Exception;

    /** False: it is not connected, and did not take it. */
    boolean publish(String topic, byte[] payload, int qos, int id) throws Exception;
  }

  static class Old implements Lasting {
    final MqttAsyncClient client;

    Old(String role) throws Exception {
      client = new MqttAsyncClient(uris[0], name + "-" + role, new MemoryPersistence());
      MqttConnectOptions options = new MqttConnectOptions();
      options.setMqttVersion(MqttConnectOptions.MQTT_VERSION_3_1_1);
      options.setServerURIs(uris);
      options.setCleanSession(false);
      options.setAutomaticReconnect(true);
      options.setMaxReconnectDelay(1000);
      options.setConnectionTimeout(10);
      options.setKeepAliveInterval(30);
      options.setMaxInflight(window + 10);
      options.setUserName("guest");
      options.setPassword("guest".toCharArray());
      client.setCallback(
          new MqttCallbackExtended() {
            public void connectionLost(Throwable cause) {
              trouble(role, cause);
            }

            public void messageArrived(String topic, MqttMessage message) {
              heard(message.getPayload(), message.getQos(), message.isDuplicate());
            }

            public void deliveryComplete(IMqttDeliveryToken token) {}

            public void connectComplete(boolean isAgain, String uri) {
              if (isAgain) connected(role, null, uri);
            }
          });
      IMqttToken token = client.connect(options);
      token.waitForCompletion();
      connected(role, token.getSessionPresent(), client.getCurrentServerURI());
    }

    public void subscribe() throws Exception {
      client.subscribe(new String[] {"failover/1/#", "failover/2/#"}, new int[] {1, 2}).waitForCompletion();
    }

    public boolean publish(String topic, byte[] payload, int qos, int id) throws Exception {
      if (!client.isConnected()) return false;
      try {
        client.publish(
            topic,
            payload,
            qos,
            false,
            id,
            new IMqttActionListener() {
              public void onSuccess(IMqttToken token) {
                confirmed(id);
              }

              public void onFailure(IMqttToken token, Throwable cause) {
                failed(id, cause);
              }
            });
      } catch (MqttException error) {
        if (error.getReasonCode() != MqttException.REASON_CODE_CLIENT_NOT_CONNECTED) throw error;
        return false;
      }
      return true;
    }
  }

  static void open(String text) throws IOException {
    name = found(text, "\"name\":\"([^\"]*)\"");
    version = Integer.parseInt(found(text, "\"version\":(\\d+)"));
    rate = Integer.parseInt(found(text, "\"rate\":(\\d+)"));
    window = Integer.parseInt(found(text, "\"window\":(\\d+)"));
    uris = found(text, "\"hosts\":\\[([^\\]]*)\\]").replace("\"", "").split(",");
    for (int i = 0; i < uris.length; i++) uris[i] = "tcp://" + uris[i];
    ledger = new PrintWriter(new FileWriter(found(text, "\"ledger\":\"([^\"]*)\"")));
  }

  static String found(String text, String pattern) {
    Matcher matcher = Pattern.compile(pattern).matcher(text);
    if (!matcher.find()) throw new IllegalArgumentException(pattern);
    return matcher.group(1);
  }

  static void listen() {
    try (BufferedReader lines = new BufferedReader(new InputStreamReader(System.in))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.equals("go")) isGoing = true;
        if (line.equals("stop")) isStopping = true;
        if (line.equals("leave")) System.exit(0);
      }
    } catch (IOException error) {
      System.exit(1);
    }
  }

  static void publish(Lasting publisher) throws Exception {
    for (int id = 1; !isStopping; id++) {
      while (unconfirmed.size() >= window && !isStopping) Thread.sleep(5);
      int sent = 1 + id % 2;
      write("published", ",\"p\":" + quoted(name) + ",\"id\":" + id + ",\"sent\":" + sent);
      unconfirmed.add(id);
      byte[] payload = (name + " " + id + " " + sent).getBytes();
      while (!publisher.publish("failover/" + sent + "/" + name, payload, sent, id)) Thread.sleep(20);
      Thread.sleep(1000 / rate);
    }
    while (!unconfirmed.isEmpty()) Thread.sleep(5);
    write("done", "");
  }

  public static void main(String[] arguments) throws Exception {
    open(arguments[0]);
    Thread listening = new Thread(Failover::listen);
    listening.setDaemon(true);
    Lasting subscriber = version == 4 ? new Old("sub") : new Failover5("sub");
    Lasting publisher = version == 4 ? new Old("pub") : new Failover5("pub");
    subscriber.subscribe();
    System.out.println("ready");
    listening.start();
    while (!isGoing) Thread.sleep(5);
    publish(publisher);
    Thread.sleep(Long.MAX_VALUE);
  }
}
