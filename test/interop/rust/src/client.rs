//! What the scenarios ask of the library. What should not fail ends the program when it does.

use futures_lite::StreamExt;
use lapin::message::{BasicReturnMessage, Delivery};
use lapin::options::*;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, ExchangeKind, Queue, Result,
};
use std::sync::Arc;
use std::time::Duration;

/// One connection and one channel in confirm mode.
#[derive(Clone)]
pub struct Client {
    pub connection: Arc<Connection>,
    pub channel: Channel,
}

pub fn own(name: &str) -> String {
    format!("lapin.{name}")
}

pub fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

pub fn int(value: i32) -> AMQPValue {
    AMQPValue::LongInt(value)
}

pub fn table(entries: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (key, value) in entries {
        table.insert((*key).into(), value.clone());
    }
    table
}

pub fn header(message: &Delivery, name: &str) -> Option<AMQPValue> {
    let headers = message.properties.headers().as_ref()?;
    headers.inner().get(name).cloned()
}

pub fn body(message: &Delivery) -> String {
    String::from_utf8(message.data.clone()).expect("a text")
}

pub async fn next(consumer: &mut Consumer) -> Delivery {
    tokio::time::timeout(Duration::from_secs(10), consumer.next())
        .await
        .expect("no further message came within 10 s")
        .expect("the consumer was cancelled")
        .expect("a delivery")
}

pub async fn bodies(consumer: &mut Consumer, count: usize) -> Vec<String> {
    let mut bodies = Vec::new();
    while bodies.len() < count {
        bodies.push(body(&next(consumer).await));
    }
    bodies
}

pub async fn nothing_more(consumer: &mut Consumer) {
    let more = futures_lite::future::poll_once(consumer.next()).await;
    assert!(more.is_none(), "{more:?} should not have come");
}

pub async fn ack(message: &Delivery) {
    message.ack(BasicAckOptions::default()).await.expect("ack");
}

pub async fn requeue(message: &Delivery) {
    let options = BasicNackOptions { requeue: true, ..Default::default() };
    message.nack(options).await.expect("nack");
}

pub async fn reject(message: &Delivery) {
    message.reject(BasicRejectOptions { requeue: false }).await.expect("reject");
}

/// Until the condition holds; fails after 10 s.
pub async fn eventually(mut condition: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it did not happen within 10 s");
}

impl Client {
    pub async fn connect() -> Client {
        Client::connect_to(&std::env::var("AMQP_URL").expect("AMQP_URL")).await
    }

    pub async fn connect_as(user: &str, password: &str) -> Client {
        let address = std::env::var("AMQP_URL").expect("AMQP_URL");
        let (_, host) = address.rsplit_once('@').expect("a user in AMQP_URL");
        Client::connect_to(&format!("amqp://{user}:{password}@{host}")).await
    }

    async fn connect_to(address: &str) -> Client {
        // Without a path the library asks for the virtual host "/".
        let connection = Connection::connect(address, ConnectionProperties::default()).await;
        Client::on(Arc::new(connection.expect("a connection"))).await
    }

    async fn on(connection: Arc<Connection>) -> Client {
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
        Client { connection, channel }
    }

    pub async fn another_channel(&self) -> Client {
        Client::on(self.connection.clone()).await
    }

    pub async fn close(&self) {
        self.connection.close(200, "bye".into()).await.expect("a clean end");
    }

    pub async fn try_queue(&self, name: &str, passive: bool, durable: bool) -> Result<Queue> {
        let options = QueueDeclareOptions { passive, durable, ..Default::default() };
        self.channel.queue_declare(name.into(), options, FieldTable::default()).await
    }

    pub async fn queue(&self, name: &str) -> Queue {
        self.queue_with(name, &[]).await
    }

    pub async fn queue_with(&self, name: &str, arguments: &[(&str, AMQPValue)]) -> Queue {
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        self.channel.queue_declare(name.into(), options, table(arguments)).await.expect("a queue")
    }

    /// How many messages and consumers it has.
    pub async fn look(&self, name: &str) -> (u32, u32) {
        let queue = self.try_queue(name, true, true).await.expect("a queue");
        (queue.message_count(), queue.consumer_count())
    }

    /// Exclusive, named by the broker, and bound with each key.
    pub async fn own_queue(&self, exchange: &str, arguments: FieldTable, keys: &[&str]) -> String {
        let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
        let queue = self.channel.queue_declare("".into(), options, FieldTable::default()).await.expect("a queue");
        for key in keys {
            self.bind_with(queue.name().as_str(), exchange, key, arguments.clone()).await;
        }
        queue.name().as_str().to_string()
    }

    pub async fn bind(&self, queue: &str, exchange: &str, key: &str) {
        self.bind_with(queue, exchange, key, FieldTable::default()).await;
    }

    async fn bind_with(&self, queue: &str, exchange: &str, key: &str, arguments: FieldTable) {
        let options = QueueBindOptions::default();
        let bound = self.channel.queue_bind(queue.into(), exchange.into(), key.into(), options, arguments);
        bound.await.expect("a binding");
    }

    pub async fn unbind(&self, queue: &str, exchange: &str, key: &str) {
        let arguments = FieldTable::default();
        let unbound = self.channel.queue_unbind(queue.into(), exchange.into(), key.into(), arguments);
        unbound.await.expect("no binding");
    }

    pub async fn delete(&self, queue: &str) {
        self.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.expect("a deletion");
    }

    pub async fn exchange(&self, name: &str, kind: &str, durable: bool, arguments: &[(&str, AMQPValue)]) {
        let options = ExchangeDeclareOptions { durable, ..Default::default() };
        let kind = ExchangeKind::Custom(kind.to_string());
        self.channel.exchange_declare(name.into(), kind, options, table(arguments)).await.expect("an exchange");
    }

    pub async fn delete_exchange(&self, name: &str) {
        self.channel.exchange_delete(name.into(), ExchangeDeleteOptions::default()).await.expect("a deletion");
    }

    pub async fn prefetch(&self, count: u16) {
        self.channel.basic_qos(count, BasicQosOptions::default()).await.expect("qos");
    }

    /// The broker's verdict, or why it closed the channel.
    pub async fn publish(
        &self,
        exchange: &str,
        key: &str,
        mandatory: bool,
        properties: BasicProperties,
        body: &[u8],
    ) -> Result<Confirmation> {
        let options = BasicPublishOptions { mandatory, ..Default::default() };
        self.channel.basic_publish(exchange.into(), key.into(), options, body, properties).await?.await
    }

    pub async fn send(&self, exchange: &str, key: &str, body: &str) {
        self.send_with(exchange, key, body, BasicProperties::default()).await;
    }

    pub async fn send_with(&self, exchange: &str, key: &str, body: &str, properties: BasicProperties) {
        let verdict = self.publish(exchange, key, false, properties, body.as_bytes()).await.expect("a verdict");
        assert!(verdict.is_ack(), "{verdict:?}");
    }

    /// Publishes with `mandatory`; what came back before it was confirmed.
    pub async fn returned(&self, exchange: &str, key: &str, body: &str) -> Option<BasicReturnMessage> {
        let verdict = self.publish(exchange, key, true, BasicProperties::default(), body.as_bytes()).await;
        verdict.expect("a verdict").take_message()
    }

    pub async fn consume(&self, queue: &str, no_ack: bool) -> Consumer {
        self.consume_with(queue, no_ack, &[]).await
    }

    pub async fn consume_with(&self, queue: &str, no_ack: bool, arguments: &[(&str, AMQPValue)]) -> Consumer {
        let options = BasicConsumeOptions { no_ack, ..Default::default() };
        let tag = format!("consumer of {queue}");
        let consumer = self.channel.basic_consume(queue.into(), tag.into(), options, table(arguments));
        consumer.await.expect("a consumer")
    }

    pub async fn cancel(&self, queue: &str) {
        let tag = format!("consumer of {queue}");
        self.channel.basic_cancel(tag.into(), BasicCancelOptions::default()).await.expect("a cancellation");
    }

    pub async fn get(&self, queue: &str) -> Option<Delivery> {
        let got = self.channel.basic_get(queue.into(), BasicGetOptions::default()).await.expect("get");
        got.map(|message| message.delivery)
    }

    /// What is got until there is no more, as text.
    pub async fn drain(&self, queue: &str) -> Vec<String> {
        let mut bodies = Vec::new();
        while let Some(message) = self.get(queue).await {
            bodies.push(body(&message));
            ack(&message).await;
        }
        bodies
    }

    /// Runs an attempt on a channel of its own, which the broker is expected to close with that text.
    pub async fn refused(&self, text: &str, attempt: impl AsyncFnOnce(Client) -> Result<()>) {
        match attempt(self.another_channel().await).await {
            Ok(()) => panic!("the broker accepted what it should refuse with {text}"),
            Err(error) => assert!(format!("{error:?}").contains(text), "wanted {text}, found {error:?}"),
        }
    }
}
