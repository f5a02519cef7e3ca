//! Queues that share out work, and what happens when it goes wrong.

use crate::client::*;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Consumer};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};

const TASKS: i32 = 5;

fn task_headers(number: i32) -> FieldTable {
    let deep = AMQPValue::FieldArray(vec![int(1), text("two"), AMQPValue::Boolean(true)].into());
    let nested = AMQPValue::FieldTable(table(&[("deep", deep)]));
    table(&[("number", int(number)), ("colour", text("red")), ("nested", nested)])
}

async fn send_tasks(client: &Client, queue: &str) {
    client.queue(queue).await;
    for number in 1..=TASKS {
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type("text/plain".into())
            .with_headers(task_headers(number));
        client.send_with("", queue, &format!("task {number}"), properties).await;
    }
}

/// Prefetch 1: with one task in hand the rest stays in the queue, however long the work takes.
async fn work_through(worker: &Client, watcher: &Client, consumer: &mut Consumer, queue: &str) {
    for number in 1..=TASKS {
        let task = next(consumer).await;
        assert_eq!(body(&task), format!("task {number}"));
        assert_eq!(task.properties.delivery_mode(), &Some(2));
        assert_eq!(task.properties.content_type(), &Some("text/plain".into()));
        assert_eq!(task.properties.headers(), &Some(task_headers(number)));
        assert_eq!(watcher.look(queue).await, ((TASKS - number) as u32, 1));
        nothing_more(consumer).await;
        ack(&task).await;
    }
    worker.cancel(queue).await;
    worker.delete(queue).await;
}

pub async fn sender_first() {
    let queue = own("tasks");
    send_tasks(&Client::connect().await, &queue).await;
    let worker = Client::connect().await;
    worker.prefetch(1).await;
    let mut consumer = worker.consume(&queue, false).await;
    work_through(&worker, &Client::connect().await, &mut consumer, &queue).await;
}

pub async fn receiver_first() {
    let queue = own("tasks");
    let worker = Client::connect().await;
    worker.queue(&queue).await;
    worker.prefetch(1).await;
    let mut consumer = worker.consume(&queue, false).await;
    let sender = Client::connect().await;
    send_tasks(&sender, &queue).await;
    work_through(&worker, &sender, &mut consumer, &queue).await;
}

pub async fn share_evenly() {
    let queue = own("shared");
    let (anna, ben, sender) = (Client::connect().await, Client::connect().await, Client::connect().await);
    anna.queue(&queue).await;
    let mut workers = [anna.consume(&queue, true).await, ben.consume(&queue, true).await];
    for number in 0..20 {
        sender.send("", &queue, &number.to_string()).await;
    }
    for (parity, worker) in workers.iter_mut().enumerate() {
        let wanted: Vec<String> = (0..10).map(|turn| (2 * turn + parity).to_string()).collect();
        assert_eq!(bodies(worker, 10).await, wanted);
    }
    sender.delete(&queue).await;
}

pub async fn killed_consumer() {
    let queue = own("jobs");
    let sender = Client::connect().await;
    sender.queue(&queue).await;
    sender.send("", &queue, "one").await;
    sender.send("", &queue, "two").await;

    let program = std::env::current_exe().expect("this program");
    let mut child =
        tokio::process::Command::new(program).arg("victim").stdout(Stdio::piped()).spawn().expect("a victim");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).await.expect("a line");
    assert_eq!(line, "holds one, redelivered false\n");
    child.kill().await.expect("its end");

    eventually(async || sender.look(&queue).await.0 == 2).await;
    let heir = Client::connect().await;
    let mut consumer = heir.consume(&queue, false).await;
    for (wanted, redelivered) in [("one", true), ("two", false)] {
        let message = next(&mut consumer).await;
        assert_eq!((body(&message).as_str(), message.redelivered), (wanted, redelivered));
        ack(&message).await;
    }
    sender.delete(&queue).await;
}

/// Holds one message until it is killed; a part of `killed_consumer`.
pub async fn victim() {
    let client = Client::connect().await;
    client.prefetch(1).await;
    let message = next(&mut client.consume(&own("jobs"), false).await).await;
    println!("holds {}, redelivered {}", body(&message), message.redelivered);
    std::future::pending().await
}

pub async fn requeue_in_place() {
    let queue = own("line");
    let client = Client::connect().await;
    client.queue(&queue).await;
    for text in ["one", "two", "three"] {
        client.send("", &queue, text).await;
    }
    let first = client.get(&queue).await.expect("one");
    let second = client.get(&queue).await.expect("two");
    requeue(&second).await;
    requeue(&first).await;
    let mut again = Vec::new();
    for _ in 0..3 {
        let message = client.get(&queue).await.expect("a message");
        again.push(format!("{} {}", body(&message), message.redelivered));
        ack(&message).await;
    }
    assert_eq!(again, ["one true", "two true", "three false"]);
    assert!(client.get(&queue).await.is_none());
    client.delete(&queue).await;
}

pub async fn publisher_confirms() {
    let queue = own("confirmed");
    let client = Client::connect().await;
    client.queue(&queue).await;
    let mut verdicts = Vec::new();
    for number in 0..1000 {
        let properties = BasicProperties::default().with_delivery_mode(1 + (number % 2) as u8);
        let text = number.to_string();
        let sent =
            client.channel.basic_publish("".into(), queue.as_str().into(), Default::default(), text.as_bytes(), properties);
        verdicts.push(sent.await.expect("a publish"));
    }
    for verdict in verdicts {
        assert!(verdict.await.expect("a verdict").is_ack());
    }
    assert_eq!(client.look(&queue).await, (1000, 0));
    client.prefetch(100).await;
    let mut consumer = client.consume(&queue, false).await;
    for number in 0..1000 {
        let message = next(&mut consumer).await;
        assert_eq!(body(&message), number.to_string());
        ack(&message).await;
    }
    client.cancel(&queue).await;
    assert!(client.get(&queue).await.is_none());
    client.delete(&queue).await;
}

fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// Bytes without a pattern.
fn noise(size: usize) -> Vec<u8> {
    let mut state = size as u64;
    let step = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(step).take(size).collect()
}

pub async fn image_upload() {
    let (exchange, queues) = (own("images"), [own("faces"), own("thumbnails")]);
    let uploader = Client::connect().await;
    uploader.exchange(&exchange, "fanout", true, &[]).await;
    let reply_to = uploader.own_queue("", FieldTable::default(), &[]).await;
    let mut answers = uploader.consume(&reply_to, true).await;
    let mut workers = Vec::new();
    for queue in &queues {
        let worker = Client::connect().await;
        worker.queue(queue).await;
        worker.bind(queue, &exchange, "").await;
        workers.push((worker.consume(queue, false).await, worker));
    }
    // More than one frame (the usual frame-max is 128 KiB), and one that fills its last frame to the byte.
    for size in [102_400, 131_064, 131_072, 300_001] {
        let image = noise(size);
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_reply_to(reply_to.as_str().into())
            .with_content_type("application/octet-stream".into());
        assert!(uploader.publish(&exchange, "", false, properties, &image).await.expect("a verdict").is_ack());
        let mut wanted = Vec::new();
        for (queue, (consumer, worker)) in queues.iter().zip(&mut workers) {
            let work = next(consumer).await;
            let back = work.properties.reply_to().clone().expect("reply-to");
            worker.send("", back.as_str(), &format!("{queue} {}", digest(&work.data))).await;
            ack(&work).await;
            wanted.push(format!("{queue} {}", digest(&image)));
        }
        assert_eq!(bodies(&mut answers, 2).await, wanted);
    }
    for queue in &queues {
        uploader.delete(queue).await;
    }
    uploader.delete_exchange(&exchange).await;
}
