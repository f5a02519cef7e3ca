//! What the broker refuses, takes away, and must not change; and what outlives it.

use crate::client::*;
use futures_lite::StreamExt;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, DecimalValue, FieldTable};
use std::time::Duration;

pub async fn channel_error() {
    let (queue, missing) = (own("steady"), own("missing"));
    let client = Client::connect().await;
    client.queue(&queue).await;
    let no_queue = format!("NOT_FOUND - no queue '{missing}'");
    client.refused(&no_queue, async |other| other.try_queue(&missing, true, true).await.map(|_| ())).await;
    let inequivalent = "PRECONDITION_FAILED - inequivalent arg 'durable'";
    client.refused(inequivalent, async |other| other.try_queue(&queue, false, false).await.map(|_| ())).await;
    let publish = async |other: Client| {
        other.publish(&missing, "", false, BasicProperties::default(), b"").await.map(|_| ())
    };
    client.refused(&format!("NOT_FOUND - no exchange '{missing}'"), publish).await;
    client.refused("ACCESS_REFUSED", async |other| other.try_queue("amq.mine", false, true).await.map(|_| ())).await;
    // The errors closed their channels; this one never noticed.
    client.send("", &queue, "still here").await;
    assert_eq!(body(&client.get(&queue).await.expect("it")), "still here");
    client.delete(&queue).await;
}

pub async fn cancel_notify() {
    let queue = own("doomed");
    let (client, other) = (Client::connect().await, Client::connect().await);
    client.queue(&queue).await;
    let mut consumer = client.consume(&queue, false).await;
    assert_eq!(other.look(&queue).await, (0, 1));
    other.delete(&queue).await;
    let end = tokio::time::timeout(Duration::from_secs(10), consumer.next()).await.expect("an end within 10 s");
    assert!(end.is_none(), "{end:?}");
}

pub async fn header_types() {
    let client = Client::connect().await;
    let name = client.own_queue("", FieldTable::default(), &[]).await;
    let deep = AMQPValue::FieldTable(table(&[("b", AMQPValue::FieldTable(table(&[("c", text("deep"))])))]));
    let inner = AMQPValue::FieldArray(vec![int(3), AMQPValue::Boolean(false)].into());
    let four = AMQPValue::FieldTable(table(&[("four", int(4))]));
    let headers = table(&[
        ("text", text("grüße, 世界")),
        ("empty", text("")),
        ("yes", AMQPValue::Boolean(true)),
        ("no", AMQPValue::Boolean(false)),
        ("byte", AMQPValue::ShortShortInt(-7)),
        ("unsigned byte", AMQPValue::ShortShortUInt(200)),
        ("short", AMQPValue::ShortInt(-300)),
        ("unsigned short", AMQPValue::ShortUInt(60_000)),
        ("small", int(7)),
        ("negative", int(-5)),
        ("unsigned", AMQPValue::LongUInt(4_000_000_000)),
        ("large", AMQPValue::LongLongInt(1 << 40)),
        ("single", AMQPValue::Float(0.5)),
        ("fraction", AMQPValue::Double(1.5)),
        ("decimal", AMQPValue::DecimalValue(DecimalValue { scale: 2, value: 314 })),
        ("time", AMQPValue::Timestamp(1_000_000_000)),
        ("bytes", AMQPValue::ByteArray(vec![0, 1, 255].into())),
        ("nothing", AMQPValue::Void),
        ("table", AMQPValue::FieldTable(table(&[("a", deep)]))),
        ("list", AMQPValue::FieldArray(vec![int(1), text("two"), inner, four].into())),
        ("long", text(&"x".repeat(5000))),
    ]);
    client.send_with("", &name, "", BasicProperties::default().with_headers(headers.clone())).await;
    let message = client.get(&name).await.expect("it");
    assert_eq!(message.properties.headers(), &Some(headers));
    assert_eq!(message.data.len(), 0);
}

pub async fn leave() {
    let (queue, exchange) = (own("survivors"), own("lasting"));
    let client = Client::connect().await;
    client.exchange(&exchange, "direct", true, &[]).await;
    client.queue(&queue).await;
    client.bind(&queue, &exchange, "key").await;
    for body in ["one", "two", "three"] {
        let headers = table(&[("body", text(body))]);
        let properties = BasicProperties::default().with_delivery_mode(2).with_headers(headers);
        client.send_with(&exchange, "key", body, properties).await;
        client.send(&exchange, "key", "transient").await;
    }
}

pub async fn check() {
    let (queue, exchange) = (own("survivors"), own("lasting"));
    let client = Client::connect().await;
    // The persistent three, and no transient one.
    assert_eq!(client.look(&queue).await, (3, 0));
    for wanted in ["one", "two", "three"] {
        let message = client.get(&queue).await.expect("it");
        assert_eq!(body(&message), wanted);
        assert_eq!(header(&message, "body"), Some(text(wanted)));
        assert_eq!(message.properties.delivery_mode(), &Some(2));
        ack(&message).await;
    }
    client.send(&exchange, "key", "again").await; // the binding is there too
    assert_eq!(body(&client.get(&queue).await.expect("it")), "again");
    client.delete(&queue).await;
    client.delete_exchange(&exchange).await;
}
