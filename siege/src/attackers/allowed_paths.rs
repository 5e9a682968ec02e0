//! A flood of a path that a rule allows, while a payment provider calls back on another allowed path.

use std::sync::Arc;
use std::time::Duration;

use super::Attacking;
use crate::arena::{Arena, Flood};
use crate::client::{Ask, Client, Sender};
use crate::networks;

/// Callbacks a second.
const CALLBACKS_PER_SECOND: f64 = 4.0;
/// How long the provider waits for an answer.
const PROVIDER_PATIENCE: Duration = Duration::from_secs(10);

/// The feed is flooded. Callbacks are counted as `callback 200` and `callback lost`.
pub fn allowed_paths(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move {
        let flood = Flood::from(100, 800);
        tokio::join!(arena.flood(&flood, |_| Ask::get("/feed/news.xml")), callbacks(&arena));
    })
}

async fn callbacks(arena: &Arc<Arena>) {
    let mut calls = tokio::task::JoinSet::new();
    let mut turns = tokio::time::interval(Duration::from_secs_f64(1.0 / CALLBACKS_PER_SECOND));
    loop {
        turns.tick().await;
        let arena = Arc::clone(arena);
        calls.spawn(async move {
            let mut client = Client::new(networks::LAB, arena.to.clone());
            let ask = Ask::post_json("/pay/callback", "{\"paid\":true}");
            let answer = client.ask(&ask.with(Sender::HEADER, Sender::Visitor.name()), PROVIDER_PATIENCE).await;
            let came = answer.is_ok_and(|answer| answer.status == 200);
            arena.tally.note(if came { "callback 200" } else { "callback lost" });
        });
        while calls.try_join_next().is_some() {}
    }
}
