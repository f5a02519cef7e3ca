//! rumqttc (3.1.1), which has no list of nodes: the program goes on to the next. What it is told and tells: test/cluster/clients/README.md.
//!
//! It subscribes with QoS 1 only: version 0.24.0 forgets with the connection which messages of QoS 2 it has (`MqttState::clean`), takes the
//! PUBREL that comes again for an error, and hangs up on it for ever. It publishes one after the other, since it sends again in another order.
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use serde_json::{json, Value};
use std::fs::File;
use std::io::{stdin, BufRead, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::{unbounded_channel, UnboundedReceiver, UnboundedSender};
use tokio::time::sleep;

struct Work {
    name: String,
    hosts: Vec<(String, u16)>,
    rate: u64,
    ledger: Mutex<File>,
}

impl Work {
    fn read(text: &str) -> Work {
        let told: Value = serde_json::from_str(text).unwrap();
        let host = |each: &Value| {
            let (host, port) = each.as_str().unwrap().split_once(':').unwrap();
            (host.to_string(), port.parse().unwrap())
        };
        Work {
            name: told["name"].as_str().unwrap().to_string(),
            hosts: told["hosts"].as_array().unwrap().iter().map(host).collect(),
            rate: told["rate"].as_u64().unwrap(),
            ledger: Mutex::new(File::create(told["ledger"].as_str().unwrap()).unwrap()),
        }
    }

    fn write(&self, mut entry: Value) {
        entry["t"] = json!(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64);
        self.ledger.lock().unwrap().write_all(format!("{entry}\n").as_bytes()).unwrap();
    }

    fn options(&self, role: &str, host: usize) -> MqttOptions {
        let (host, port) = &self.hosts[host % self.hosts.len()];
        let mut options = MqttOptions::new(format!("{}-{role}", self.name), host, *port);
        options.set_clean_session(false).set_keep_alive(Duration::from_secs(30)).set_credentials("guest", "guest");
        options
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Happened {
    Connected,
    Subscribed,
    Acknowledged,
}

/// Drives a client, on one node after the other.
async fn drive(work: Arc<Work>, role: &'static str, mut events: EventLoop, tell: UnboundedSender<Happened>) {
    let mut host = 0;
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(ack))) => {
                work.write(json!({"e": "connected", "role": role, "present": ack.session_present, "text": events.mqtt_options.broker_address().0}));
                let _ = tell.send(Happened::Connected);
            }
            Ok(Event::Incoming(Packet::SubAck(_))) => { let _ = tell.send(Happened::Subscribed); }
            Ok(Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_))) => { let _ = tell.send(Happened::Acknowledged); }
            Ok(Event::Incoming(Packet::Publish(message))) => {
                let text = String::from_utf8(message.payload.to_vec()).unwrap();
                let parts: Vec<&str> = text.split(' ').collect();
                let (id, sent): (u64, u64) = (parts[1].parse().unwrap(), parts[2].parse().unwrap());
                work.write(json!({"e": "heard", "c": work.name, "p": parts[0], "id": id, "sent": sent, "qos": message.qos as u8, "dup": message.dup}));
            }
            Ok(_) => {}
            Err(error) => {
                work.write(json!({"e": "trouble", "role": role, "text": error.to_string()}));
                host += 1;
                events.mqtt_options = work.options(role, host);
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn await_(what: Happened, happened: &mut UnboundedReceiver<Happened>) {
    while happened.recv().await.expect("the client ended") != what {}
}

async fn publish(work: Arc<Work>, client: AsyncClient, mut happened: UnboundedReceiver<Happened>, is_stopping: Arc<AtomicBool>) {
    for id in 1u64.. {
        if is_stopping.load(Ordering::Relaxed) {
            break;
        }
        let sent = 1 + id % 2;
        work.write(json!({"e": "published", "p": work.name, "id": id, "sent": sent}));
        let qos = if sent == 1 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
        client.publish(format!("failover/{sent}/{}", work.name), qos, false, format!("{} {id} {sent}", work.name)).await.unwrap();
        await_(Happened::Acknowledged, &mut happened).await;
        work.write(json!({"e": "confirmed", "p": work.name, "id": id}));
        sleep(Duration::from_millis(1000 / work.rate)).await;
    }
    work.write(json!({"e": "done"}));
}

#[tokio::main]
async fn main() {
    let work = Arc::new(Work::read(&std::env::args().nth(1).unwrap()));
    let open = |role: &'static str| {
        let (client, events) = AsyncClient::new(work.options(role, 0), 100);
        let (tell, happened) = unbounded_channel();
        tokio::spawn(drive(work.clone(), role, events, tell));
        (client, happened)
    };
    let (subscriber, mut subscribing) = open("sub");
    let (publisher, mut publishing) = open("pub");
    await_(Happened::Connected, &mut subscribing).await;
    await_(Happened::Connected, &mut publishing).await;
    subscriber.subscribe("failover/#", QoS::AtLeastOnce).await.unwrap();
    await_(Happened::Subscribed, &mut subscribing).await;
    println!("ready");
    let is_stopping = Arc::new(AtomicBool::new(false));
    let (say, mut lines) = unbounded_channel();
    std::thread::spawn(move || stdin().lock().lines().map_while(Result::ok).for_each(|line| drop(say.send(line))));
    let mut idle = Some((publisher, publishing));
    while let Some(line) = lines.recv().await {
        match line.as_str() {
            "go" => {
                let (client, happened) = idle.take().unwrap();
                tokio::spawn(publish(work.clone(), client, happened, is_stopping.clone()));
            }
            "stop" => is_stopping.store(true, Ordering::Relaxed),
            "leave" => std::process::exit(0),
            _ => {}
        }
    }
}
