//! An upgraded connection, WebSocket for instance: bytes both ways until one side ends.

use super::connections::InProgress;
use super::origins::AtServer;
use super::streams::OpenStream;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

/// Carries bytes between both sides until one of them ends, or the stream has to make room. The request stays in progress
/// until then.
pub(super) async fn run(
    client: OnUpgrade,
    origin: OnUpgrade,
    in_progress: InProgress,
    at_server: AtServer,
    stream: OpenStream,
) {
    let upgraded = tokio::try_join!(client, origin);
    if let Ok((client, origin)) = upgraded {
        let (mut client, mut origin) = (TokioIo::new(client), TokioIo::new(origin));
        tokio::select! {
            // Either side ends it; how is of no interest to the other.
            _ = copy_bidirectional(&mut client, &mut origin) => {}
            () = stream.cut() => {}
        }
    }
    drop((in_progress, at_server, stream));
}
