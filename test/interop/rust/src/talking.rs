//! Questions with answers, and chats.

use crate::client::*;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{BasicProperties, Consumer};
use std::collections::HashMap;

async fn adder() -> Client {
    let server = Client::connect().await;
    server.delete("rpc_queue").await;
    let declared = server.channel.queue_declare("rpc_queue".into(), QueueDeclareOptions::default(), FieldTable::default());
    declared.await.expect("a queue");
    server.prefetch(1).await;
    server
}

async fn ask(client: &Client, server: &Client, reply_to: &str) {
    let mut questions = server.consume("rpc_queue", false).await;
    let mut answers = client.consume(reply_to, true).await;
    let mut asked = HashMap::from([("first", 1), ("second", 41), ("third", 1_000_000)]);
    for (id, n) in &asked {
        let properties = BasicProperties::default().with_correlation_id((*id).into()).with_reply_to(reply_to.into());
        client.send_with("", "rpc_queue", &n.to_string(), properties).await;
    }
    for _ in 0..asked.len() {
        let question = next(&mut questions).await;
        let n: i32 = body(&question).parse().expect("a number");
        let id = question.properties.correlation_id().clone().expect("an id");
        let back = question.properties.reply_to().clone().expect("reply-to");
        let properties = BasicProperties::default().with_correlation_id(id);
        server.send_with("", back.as_str(), &(n + 1).to_string(), properties).await;
        ack(&question).await;
    }
    while !asked.is_empty() {
        let answer = next(&mut answers).await;
        let id = answer.properties.correlation_id().clone().expect("an id");
        let n = asked.remove(id.as_str()).expect("a question");
        assert_eq!(body(&answer), (n + 1).to_string());
    }
    client.delete("rpc_queue").await;
}

pub async fn reply_queue() {
    let (server, client) = (adder().await, Client::connect().await);
    let replies = client.own_queue("", FieldTable::default(), &[]).await;
    ask(&client, &server, &replies).await;
}

pub async fn direct_reply_to() {
    let server = adder().await;
    ask(&Client::connect().await, &server, "amq.rabbitmq.reply-to").await;
}

/// A person in a chat; the test has made the users alice and bob, with the password "secret".
struct Person {
    user: &'static str,
    client: Client,
    queue: String,
    inbox: Consumer,
}

impl Person {
    async fn new(user: &'static str) -> Person {
        let client = Client::connect_as(user, "secret").await;
        client.exchange(&own("rooms"), "direct", false, &[]).await;
        let queue = client.own_queue("", FieldTable::default(), &[]).await;
        let inbox = client.consume(&queue, true).await;
        Person { user, client, queue, inbox }
    }

    async fn join(&self, room: &str) {
        self.client.bind(&self.queue, &own("rooms"), room).await;
    }

    async fn leave(&self, room: &str) {
        self.client.unbind(&self.queue, &own("rooms"), room).await;
    }

    async fn say(&self, room: &str, text: &str) {
        let properties = BasicProperties::default().with_user_id(self.user.into());
        self.client.send_with(&own("rooms"), room, text, properties).await;
    }

    async fn hears(&mut self, line: &str) {
        let message = next(&mut self.inbox).await;
        let user = message.properties.user_id().clone().expect("a user");
        assert_eq!(format!("[{}] {}: {}", message.routing_key.as_str(), user.as_str(), body(&message)), line);
    }
}

pub async fn chat_rooms() {
    let (mut alice, mut bob) = (Person::new("alice").await, Person::new("bob").await);
    alice.join("kitchen").await;
    bob.join("garden").await;
    alice.say("kitchen", "anybody?").await;
    alice.hears("[kitchen] alice: anybody?").await;

    bob.leave("garden").await;
    bob.join("kitchen").await;
    alice.say("garden", "and here?").await;
    bob.say("kitchen", "me").await;
    alice.hears("[kitchen] bob: me").await;
    bob.hears("[kitchen] bob: me").await;

    let lie = async |other: Client| {
        let properties = BasicProperties::default().with_user_id("bob".into());
        other.publish(&own("rooms"), "kitchen", false, properties, b"I am a fool").await.map(|_| ())
    };
    let text = "PRECONDITION_FAILED - user_id property set to 'bob' but authenticated user was 'alice'";
    alice.client.refused(text, lie).await;

    bob.leave("kitchen").await;
    alice.say("kitchen", "gone?").await;
    alice.hears("[kitchen] alice: gone?").await;
    nothing_more(&mut bob.inbox).await;
    alice.client.delete_exchange(&own("rooms")).await;
}

pub async fn chat_for_all() {
    let exchange = own("all");
    let mut people = Vec::new();
    for _ in 0..3 {
        let person = Client::connect().await;
        person.exchange(&exchange, "fanout", false, &[]).await;
        let queue = person.own_queue(&exchange, FieldTable::default(), &[""]).await;
        people.push((person.consume(&queue, true).await, person));
    }
    for (number, (_, person)) in people.iter().enumerate() {
        let properties = BasicProperties::default().with_user_id("guest".into());
        person.send_with(&exchange, "ignored", &format!("hello from {number}"), properties).await;
    }
    for (inbox, _) in &mut people {
        for number in 0..3 {
            let message = next(inbox).await;
            assert_eq!(message.properties.user_id(), &Some("guest".into()));
            assert_eq!(body(&message), format!("hello from {number}"));
        }
    }
    people[0].1.delete_exchange(&exchange).await;
}
