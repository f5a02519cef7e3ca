//! rumqttc (3.1.1 and 5.0) against the broker at MQTT_PORT: every QoS, a retained message, a session that waits.
use rumqttc::{v5, AsyncClient, Event, MqttOptions, Packet, QoS};
use std::time::Duration;
use tokio::sync::mpsc::{unbounded_channel, UnboundedReceiver};
use tokio::time::timeout;

type Heard = UnboundedReceiver<(String, Vec<u8>, bool)>;

fn port() -> u16 {
    std::env::var("MQTT_PORT").unwrap().parse().unwrap()
}

/** A client whose events are driven by a task of its own. The second channel says when a subscription is confirmed. */
fn old(name: &str, clean: bool) -> (AsyncClient, Heard, UnboundedReceiver<()>) {
    let mut options = MqttOptions::new(name, "127.0.0.1", port());
    options.set_clean_session(clean).set_max_packet_size(2_000_000, 2_000_000);
    let (client, mut events) = AsyncClient::new(options, 100);
    let (tell, heard) = unbounded_channel();
    let (confirm, confirmed) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok(event) = events.poll().await {
            match event {
                Event::Incoming(Packet::Publish(p)) => drop(tell.send((p.topic, p.payload.to_vec(), p.retain))),
                Event::Incoming(Packet::SubAck(_)) | Event::Incoming(Packet::PubAck(_)) | Event::Incoming(Packet::PubComp(_)) => drop(confirm.send(())),
                _ => {}
            }
        }
    });
    (client, heard, confirmed)
}

fn new(name: &str) -> (v5::AsyncClient, Heard, UnboundedReceiver<()>) {
    let mut options = v5::MqttOptions::new(name, "127.0.0.1", port());
    options.set_max_packet_size(Some(2_000_000));
    let (client, mut events) = v5::AsyncClient::new(options, 100);
    let (tell, heard) = unbounded_channel();
    let (confirm, confirmed) = unbounded_channel();
    tokio::spawn(async move {
        use v5::mqttbytes::v5::Packet;
        while let Ok(event) = events.poll().await {
            match event {
                v5::Event::Incoming(Packet::Publish(p)) => {
                    drop(tell.send((String::from_utf8(p.topic.to_vec()).unwrap(), p.payload.to_vec(), p.retain)))
                }
                v5::Event::Incoming(Packet::SubAck(_)) => drop(confirm.send(())),
                _ => {}
            }
        }
    });
    (client, heard, confirmed)
}

async fn next<T>(from: &mut UnboundedReceiver<T>) -> T {
    timeout(Duration::from_secs(20), from.recv()).await.expect("nothing came").expect("the connection ended")
}

#[tokio::main]
async fn main() {
    let (client, mut heard, mut confirmed) = old("rust-old", true);
    client.subscribe("rust/old/#", QoS::ExactlyOnce).await.unwrap();
    next(&mut confirmed).await;
    for (number, qos) in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce].into_iter().enumerate() {
        client.publish("rust/old/a.b", qos, false, vec![number as u8]).await.unwrap();
        assert_eq!(next(&mut heard).await, ("rust/old/a.b".into(), vec![number as u8], false));
    }
    client.publish("rust/old/large", QoS::AtLeastOnce, true, vec![7; 1_000_000]).await.unwrap();
    assert_eq!(next(&mut heard).await.1.len(), 1_000_000);
    client.disconnect().await.unwrap();

    let (client, mut heard, mut confirmed) = new("rust-new");
    client.subscribe("rust/+/large", v5::mqttbytes::QoS::AtLeastOnce).await.unwrap();
    next(&mut confirmed).await;
    let (topic, payload, retain) = next(&mut heard).await;
    assert_eq!((topic.as_str(), payload.len(), retain), ("rust/old/large", 1_000_000, true));
    client.publish("rust/old/large", v5::mqttbytes::QoS::AtLeastOnce, true, vec![]).await.unwrap();
    assert_eq!(next(&mut heard).await.1.len(), 0);
    client.disconnect().await.unwrap();

    let (client, _, mut confirmed) = old("rust-sleeper", false);
    client.subscribe("rust/sleep", QoS::ExactlyOnce).await.unwrap();
    next(&mut confirmed).await;
    client.disconnect().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (talker, _, mut acknowledged) = old("rust-talker", true);
    for number in 0..10u8 {
        let qos = if number % 2 == 0 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
        talker.publish("rust/sleep", qos, false, vec![number]).await.unwrap();
        next(&mut acknowledged).await;
    }
    let (_client, mut heard, _) = old("rust-sleeper", false);
    for number in 0..10u8 {
        assert_eq!(next(&mut heard).await.1, vec![number]);
    }
    println!("ok");
}
