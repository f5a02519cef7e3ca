//! Plays one scenario with lapin: AMQP_URL=... cargo run SCENARIO. Exits 0 when all came as it should. The names stand in
//! ../scenarios.ts.

mod client;
mod edges;
mod queues;
mod routing;
mod talking;
mod working;

use std::time::Duration;

async fn play(scenario: &str) {
    match scenario {
        "tasks-sender-first" => working::sender_first().await,
        "tasks-receiver-first" => working::receiver_first().await,
        "share-evenly" => working::share_evenly().await,
        "killed-consumer" => working::killed_consumer().await,
        "victim" => working::victim().await,
        "requeue-in-place" => working::requeue_in_place().await,
        "publisher-confirms" => working::publisher_confirms().await,
        "image-upload" => working::image_upload().await,
        "log-fanout" => routing::log_fanout().await,
        "topic-logs" => routing::topic_logs().await,
        "headers-any-all" => routing::headers_any_all().await,
        "mandatory-return" => routing::mandatory_return().await,
        "rpc-reply-queue" => talking::reply_queue().await,
        "rpc-direct-reply-to" => talking::direct_reply_to().await,
        "chat-rooms" => talking::chat_rooms().await,
        "chat-for-all" => talking::chat_for_all().await,
        "channel-error" => edges::channel_error().await,
        "cancel-notify" => edges::cancel_notify().await,
        "header-types" => edges::header_types().await,
        "survival-leave" => edges::leave().await,
        "survival-check" => edges::check().await,
        "dead-letters" => queues::dead_letters().await,
        "expiry" => queues::expiry().await,
        "queue-expiry" => queues::queue_expiry().await,
        "limits" => queues::limits().await,
        "priorities" => queues::priorities().await,
        "single-active-consumer" => queues::single_active_consumer().await,
        "delivery-limit" => queues::delivery_limit().await,
        "delayed-messages" => queues::delayed_messages().await,
        "consistent-hash" => queues::consistent_hash().await,
        "transactions" => queues::transactions().await,
        _ => panic!("there is no scenario {scenario}"),
    }
}

#[tokio::main]
async fn main() {
    let scenario = std::env::args().nth(1).expect("say which scenario");
    // A scenario that hangs is a scenario that failed.
    tokio::time::timeout(Duration::from_secs(60), play(&scenario))
        .await
        .expect("it took longer than 60 s");
    println!("ok");
    std::process::exit(0);
}
