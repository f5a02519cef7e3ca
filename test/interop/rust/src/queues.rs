//! What a queue can be told: dead letters, expiry, limits, order; and the exchanges beyond the four usual ones.

use crate::client::*;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Confirmation};
use std::time::Duration;

fn dying_to<'a>(dead: &str, more: &[(&'a str, AMQPValue)]) -> Vec<(&'a str, AMQPValue)> {
    let mut arguments = more.to_vec();
    arguments.push(("x-dead-letter-exchange", text("")));
    arguments.push(("x-dead-letter-routing-key", text(dead)));
    arguments
}

/// The entries of x-death as text: queue, reason, count.
fn deaths(message: &Delivery) -> Vec<String> {
    let Some(AMQPValue::FieldArray(deaths)) = header(message, "x-death") else { panic!("no x-death") };
    let shown = |death: &AMQPValue| {
        let AMQPValue::FieldTable(death) = death else { panic!("{death:?}") };
        let text = |name: &str| match death.inner().get(name) {
            Some(AMQPValue::LongString(text)) => text.to_string(),
            other => panic!("{name}: {other:?}"),
        };
        let Some(AMQPValue::LongLongInt(count)) = death.inner().get("count") else { panic!("{death:?}") };
        format!("{} {} {count}", text("queue"), text("reason"))
    };
    deaths.as_slice().iter().map(shown).collect()
}

async fn letter(client: &Client, dead: &str) -> Delivery {
    eventually(async || client.look(dead).await.0 == 1).await;
    let letter = client.get(dead).await.expect("a dead letter");
    ack(&letter).await;
    letter
}

pub async fn dead_letters() {
    let (work, dead) = (own("work"), own("dead"));
    let client = Client::connect().await;
    client.queue(&dead).await;
    client.queue_with(&work, &dying_to(&dead, &[])).await;
    let headers = table(&[("mine", text("stays"))]);
    let properties = BasicProperties::default().with_expiration("60000".into()).with_headers(headers);
    client.send_with("", &work, "rejected", properties).await;
    reject(&client.get(&work).await.expect("it")).await;
    let letter = letter(&client, &dead).await;
    assert_eq!(deaths(&letter), [format!("{work} rejected 1")]);
    assert_eq!(header(&letter, "mine"), Some(text("stays")));
    assert_eq!(header(&letter, "x-first-death-queue"), Some(text(&work)));
    assert_eq!(header(&letter, "x-first-death-reason"), Some(text("rejected")));
    assert_eq!(letter.properties.expiration(), &None);
    client.delete(&work).await;
    client.delete(&dead).await;
}

pub async fn expiry() {
    let (retry, work) = (own("retry"), own("work"));
    let client = Client::connect().await;
    client.queue_with(&retry, &dying_to(&work, &[("x-message-ttl", int(100))])).await;
    client.queue_with(&work, &dying_to(&retry, &[])).await;
    client.send("", &work, "again and again").await;
    let mut consumer = client.consume(&work, false).await;
    reject(&next(&mut consumer).await).await;
    reject(&next(&mut consumer).await).await;
    let third = next(&mut consumer).await;
    assert_eq!(deaths(&third), [format!("{retry} expired 2"), format!("{work} rejected 2")]);
    ack(&third).await;
    client.cancel(&work).await;
    for expiration in ["50", "60000"] {
        let properties = BasicProperties::default().with_expiration(expiration.into());
        client.send_with("", &work, expiration, properties).await;
    }
    eventually(async || client.look(&work).await.0 == 1).await;
    assert_eq!(body(&client.get(&work).await.expect("it")), "60000");
    client.delete(&work).await;
    client.delete(&retry).await;
}

pub async fn queue_expiry() {
    let client = Client::connect().await;
    let fleeting = own("fleeting");
    client.queue_with(&fleeting, &[("x-expires", int(200))]).await;
    tokio::time::sleep(Duration::from_secs(2)).await; // To look at it would be a use.
    client.refused("NOT_FOUND", async |other| other.try_queue(&fleeting, true, true).await.map(|_| ())).await;
}

pub async fn limits() {
    let (dropping, refusing, dead) = (own("dropping"), own("refusing"), own("dead"));
    let client = Client::connect().await;
    client.queue(&dead).await;
    client.queue_with(&dropping, &dying_to(&dead, &[("x-max-length", int(2))])).await;
    client.queue_with(&refusing, &[("x-max-length", int(2)), ("x-overflow", text("reject-publish"))]).await;
    for body in ["one", "two", "three"] {
        client.send("", &dropping, body).await;
    }
    let letter = letter(&client, &dead).await;
    assert_eq!(body(&letter), "one");
    assert_eq!(deaths(&letter), [format!("{dropping} maxlen 1")]);
    assert_eq!(client.drain(&dropping).await, ["two", "three"]);

    let mut verdicts = Vec::new();
    for body in ["one", "two", "three"] {
        let properties = BasicProperties::default();
        let verdict = client.publish("", &refusing, false, properties, body.as_bytes()).await.expect("a verdict");
        verdicts.push(matches!(verdict, Confirmation::Ack(_)));
    }
    assert_eq!(verdicts, [true, true, false]);
    assert_eq!(client.drain(&refusing).await, ["one", "two"]);
    for queue in [dropping, refusing, dead] {
        client.delete(&queue).await;
    }
}

pub async fn priorities() {
    let queue = own("prioritised");
    let client = Client::connect().await;
    client.queue_with(&queue, &[("x-max-priority", int(10))]).await;
    for (at, priority) in [1, 5, 0, 10, 5, 200].into_iter().enumerate() {
        client.send_with("", &queue, &at.to_string(), BasicProperties::default().with_priority(priority)).await;
    }
    assert_eq!(client.drain(&queue).await, ["3", "5", "1", "4", "0", "2"]);
    client.delete(&queue).await;

    let ranked = own("ranked");
    client.queue(&ranked).await;
    let mut low = client.consume(&ranked, true).await;
    let first = Client::connect().await;
    let mut high = first.consume_with(&ranked, true, &[("x-priority", int(10))]).await;
    client.send("", &ranked, "one").await;
    client.send("", &ranked, "two").await;
    assert_eq!(bodies(&mut high, 2).await, ["one", "two"]);
    first.close().await;
    client.send("", &ranked, "three").await;
    assert_eq!(bodies(&mut low, 1).await, ["three"]);
    client.delete(&ranked).await;
}

pub async fn single_active_consumer() {
    let queue = own("single");
    let (sender, first, second) = (Client::connect().await, Client::connect().await, Client::connect().await);
    sender.queue_with(&queue, &[("x-single-active-consumer", AMQPValue::Boolean(true))]).await;
    let mut active = first.consume(&queue, false).await;
    let mut waiting = second.consume(&queue, false).await;
    sender.send("", &queue, "one").await;
    sender.send("", &queue, "two").await;
    assert_eq!(bodies(&mut active, 2).await, ["one", "two"]);
    nothing_more(&mut waiting).await;
    first.close().await;
    let again = next(&mut waiting).await;
    assert_eq!((body(&again).as_str(), again.redelivered), ("one", true));
    assert_eq!(bodies(&mut waiting, 1).await, ["two"]);
    sender.delete(&queue).await;
}

pub async fn delivery_limit() {
    let (queue, dead) = (own("limited"), own("dead"));
    let client = Client::connect().await;
    client.queue(&dead).await;
    let arguments = [("x-queue-type", text("quorum")), ("x-delivery-limit", int(2))];
    client.queue_with(&queue, &dying_to(&dead, &arguments)).await;
    client.send_with("", &queue, "poison", BasicProperties::default().with_delivery_mode(2)).await;
    let mut consumer = client.consume(&queue, false).await;
    for count in [None, Some(AMQPValue::LongLongInt(1)), Some(AMQPValue::LongLongInt(2))] {
        let message = next(&mut consumer).await;
        assert_eq!(header(&message, "x-delivery-count"), count);
        requeue(&message).await;
    }
    assert_eq!(deaths(&letter(&client, &dead).await), [format!("{queue} delivery_limit 1")]);
    client.delete(&queue).await;
    client.delete(&dead).await;
}

pub async fn delayed_messages() {
    let exchange = own("delayed");
    let client = Client::connect().await;
    client.exchange(&exchange, "x-delayed-message", true, &[("x-delayed-type", text("direct"))]).await;
    let queue = client.own_queue(&exchange, FieldTable::default(), &["key"]).await;
    let mut consumer = client.consume(&queue, true).await;
    for delay in [600, 300, 0] {
        let headers = if delay == 0 { table(&[]) } else { table(&[("x-delay", int(delay))]) };
        let properties = BasicProperties::default().with_headers(headers);
        client.send_with(&exchange, "key", &format!("after {delay}"), properties).await;
    }
    assert_eq!(bodies(&mut consumer, 3).await, ["after 0", "after 300", "after 600"]);
    client.delete_exchange(&exchange).await;
}

pub async fn consistent_hash() {
    let exchange = own("hashed");
    let client = Client::connect().await;
    client.exchange(&exchange, "x-consistent-hash", true, &[]).await;
    let mut queues = Vec::new();
    for _ in 0..4 {
        queues.push(client.own_queue(&exchange, FieldTable::default(), &["10"]).await);
    }
    for number in 0..400 {
        client.send(&exchange, &format!("key {}", number % 200), &(number % 200).to_string()).await;
    }
    let mut sum = 0;
    for queue in queues {
        // Each key went where it went before, and every queue has some.
        let bodies = client.drain(&queue).await;
        let (once, again) = bodies.split_at(bodies.len() / 2);
        assert_eq!(once, again);
        assert!(bodies.len() > 20, "{}", bodies.len());
        sum += bodies.len();
    }
    assert_eq!(sum, 400);
    client.delete_exchange(&exchange).await;
}

pub async fn transactions() {
    let queue = own("transacted");
    let watcher = Client::connect().await;
    watcher.queue(&queue).await;
    let channel = watcher.connection.create_channel().await.expect("a channel");
    channel.tx_select().await.expect("tx");
    let send = async |text: &str| {
        let key = queue.as_str().into();
        let sent = channel.basic_publish("".into(), key, Default::default(), text.as_bytes(), Default::default());
        sent.await.expect("a publish");
    };
    send("rolled back").await;
    channel.tx_rollback().await.expect("rollback");
    send("committed").await;
    assert!(watcher.get(&queue).await.is_none());
    channel.tx_commit().await.expect("commit");
    assert_eq!(watcher.drain(&queue).await, ["committed"]);
    watcher.delete(&queue).await;
}
