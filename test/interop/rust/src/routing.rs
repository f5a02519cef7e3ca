//! Who gets a message: fanout, topics, headers, and nobody at all.

use crate::client::*;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Consumer};

pub async fn log_fanout() {
    let exchange = own("log");
    let (anna, ben, writer) = (Client::connect().await, Client::connect().await, Client::connect().await);
    writer.exchange(&exchange, "fanout", false, &[]).await;
    let (mut queues, mut heard) = (Vec::new(), Vec::new());
    for listener in [&anna, &ben] {
        let name = listener.own_queue(&exchange, FieldTable::default(), &[""]).await;
        assert!(name.starts_with("amq.gen-"));
        heard.push(listener.consume(&name, true).await);
        queues.push(name);
    }
    assert_ne!(queues[0], queues[1]);
    let lines = ["one", "two", "three"];
    for line in lines {
        writer.send(&exchange, "", line).await;
    }
    for consumer in &mut heard {
        assert_eq!(bodies(consumer, 3).await, lines);
    }

    // Exclusive: nobody else may even look at it while its owner lives, and it is gone when the owner is.
    let look = async |other: Client, name: &str| other.try_queue(name, true, false).await.map(|_| ());
    writer.refused("RESOURCE_LOCKED", async |other| look(other, &queues[0]).await).await;
    anna.close().await;
    ben.close().await;
    for name in &queues {
        writer.refused("NOT_FOUND", async |other| look(other, name).await).await;
    }
    writer.delete_exchange(&exchange).await;
}

pub async fn topic_logs() {
    let exchange = own("topic");
    let client = Client::connect().await;
    client.exchange(&exchange, "topic", false, &[]).await;
    let listen = async |patterns: &[&str]| -> Consumer {
        let queue = client.own_queue(&exchange, FieldTable::default(), patterns).await;
        client.consume(&queue, true).await
    };
    let mut idle = listen(&["#.notImportant"]).await;
    let mut busy = listen(&["*.*.important"]).await;
    let mut both = listen(&["#.notImportant", "*.*.important", "#"]).await;
    let keys = [
        "notImportant",
        "a.notImportant",
        "a.b.c.d.notImportant",
        "notImportant.a",
        "important",
        "a.important",
        "a.b.important",
        "a.b.c.important",
        "..important",
        "a.b.notImportant",
        "c.d.important",
    ];
    for key in keys {
        client.send(&exchange, key, key).await;
    }
    assert_eq!(bodies(&mut both, keys.len()).await, keys);
    let unimportant = ["notImportant", "a.notImportant", "a.b.c.d.notImportant", "a.b.notImportant"];
    assert_eq!(bodies(&mut idle, 4).await, unimportant);
    assert_eq!(bodies(&mut busy, 3).await, ["a.b.important", "..important", "c.d.important"]);
    nothing_more(&mut idle).await;
    nothing_more(&mut busy).await;
    client.delete_exchange(&exchange).await;
}

pub async fn headers_any_all() {
    let exchange = own("headers");
    let client = Client::connect().await;
    client.exchange(&exchange, "headers", false, &[]).await;
    let listen = async |how: &str| -> Consumer {
        let arguments = table(&[("x-match", text(how)), ("format", text("pdf")), ("pages", int(2))]);
        let queue = client.own_queue(&exchange, arguments, &[""]).await;
        client.consume(&queue, true).await
    };
    let (mut all, mut any) = (listen("all").await, listen("any").await);
    let messages = [
        ("neither", table(&[("format", text("txt")), ("pages", int(3))])),
        ("format", table(&[("format", text("pdf"))])),
        ("pages", table(&[("format", text("txt")), ("pages", int(2))])),
        ("none", table(&[])),
        ("both", table(&[("format", text("pdf")), ("pages", int(2)), ("more", AMQPValue::Boolean(true))])),
    ];
    for (body, headers) in messages {
        client.send_with(&exchange, "", body, BasicProperties::default().with_headers(headers)).await;
    }
    assert_eq!(bodies(&mut any, 3).await, ["format", "pages", "both"]);
    assert_eq!(bodies(&mut all, 1).await, ["both"]);
    nothing_more(&mut all).await;
    client.delete_exchange(&exchange).await;
}

pub async fn mandatory_return() {
    let client = Client::connect().await;
    let back = client.returned("", &own("nobody"), "lost?").await.expect("a return before the confirm");
    assert_eq!((back.reply_code, back.reply_text.as_str()), (312, "NO_ROUTE"));
    assert_eq!(body(&back.delivery), "lost?");
    client.send("", &own("nobody"), "dropped").await;
    let name = client.own_queue("", FieldTable::default(), &[]).await;
    assert!(client.returned("", &name, "found").await.is_none());
    assert_eq!(body(&client.get(&name).await.expect("it")), "found");
}
