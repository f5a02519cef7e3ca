import org.eclipse.paho.mqttv5.client.IMqttToken;
import org.eclipse.paho.mqttv5.client.MqttActionListener;
import org.eclipse.paho.mqttv5.client.MqttAsyncClient;
import org.eclipse.paho.mqttv5.client.MqttCallback;
import org.eclipse.paho.mqttv5.client.MqttClientException;
import org.eclipse.paho.mqttv5.client.MqttConnectionOptions;
import org.eclipse.paho.mqttv5.client.MqttDisconnectResponse;
import org.eclipse.paho.mqttv5.client.persist.MemoryPersistence;
import org.eclipse.paho.mqttv5.common.MqttException;
import org.eclipse.paho.mqttv5.common.MqttMessage;
import org.eclipse.paho.mqttv5.common.packet.MqttProperties;

/** The client for 5.0. */
class Failover5 implements Failover.Lasting {
  private final MqttAsyncClient client;

  Failover5(String role) throws Exception {
    client = new MqttAsyncClient(Failover.uris[0], Failover.name + "-" + role, new MemoryPersistence());
    MqttConnectionOptions options = new MqttConnectionOptions();
    options.setServerURIs(Failover.uris);
    options.setCleanStart(false);
    options.setSessionExpiryInterval(600L);
    options.setAutomaticReconnect(true);
    options.setAutomaticReconnectDelay(1, 1);
    options.setMaxReconnectDelay(1000);
    options.setConnectionTimeout(10);
    options.setKeepAliveInterval(30);
    options.setUserName("guest");
    options.setPassword("guest".getBytes());
    client.setCallback(callback(role));
    IMqttToken token = client.connect(options);
    token.waitForCompletion();
    Failover.connected(role, token.getSessionPresent(), client.getCurrentServerURI());
  }

  private static MqttCallback callback(String role) {
    return new MqttCallback() {
      public void disconnected(MqttDisconnectResponse response) {
        MqttException cause = response.getException();
        if (cause == null) Failover.write("told", ",\"role\":\"" + role + "\",\"reason\":" + response.getReturnCode());
        else Failover.trouble(role, cause);
      }

      public void mqttErrorOccurred(MqttException error) {
        Failover.trouble(role, error);
      }

      public void messageArrived(String topic, MqttMessage message) {
        Failover.heard(message.getPayload(), message.getQos(), message.isDuplicate());
      }

      public void deliveryComplete(IMqttToken token) {}

      public void connectComplete(boolean isAgain, String uri) {
        if (isAgain) Failover.connected(role, null, uri);
      }

      public void authPacketArrived(int reason, MqttProperties properties) {}
    };
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
          new MqttActionListener() {
            public void onSuccess(IMqttToken token) {
              Failover.confirmed(id);
            }

            public void onFailure(IMqttToken token, Throwable cause) {
              Failover.failed(id, cause);
            }
          });
    } catch (MqttException error) {
      if (error.getReasonCode() != MqttClientException.REASON_CODE_CLIENT_NOT_CONNECTED) throw error;
      return false;
    }
    return true;
  }
}
