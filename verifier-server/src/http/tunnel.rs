//! An upgraded connection, WebSocket for instance: bytes both ways until one side ends.

use super::connections::InProgress;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::sync::OwnedSemaphorePermit;

/// Carries bytes between both sides. The request stays in progress until it ends.
pub(super) async fn run(client: OnUpgrade, origin: OnUpgrade, in_progress: InProgress, room: OwnedSemaphorePermit) {
    let upgraded = tokio::try_join!(client, origin);
    if let Ok((client, origin)) = upgraded {
        // Either side ends it; how is of no interest to the other.
        let _ = copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(origin)).await;
    }
    drop((in_progress, room));
}
