//! A client's byte stream: what was read to tell the protocol, who is on the other end, and no patience for a client
//! that takes nothing.

use super::activity::Activity;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Sleep, sleep};

/// What every HTTP/2 connection begins with (RFC 9113 §3.4).
const H2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long what a client is still sending is read and thrown away once its request has been answered: a connection that is closed
/// with bytes unread is reset, and the answer is lost with it (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(2);

/// A socket of either kind.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The protocol that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// A client's stream as hyper reads and writes it.
#[derive(Debug)]
pub(super) struct ClientIo {
    stream: Stream,
    /// Bytes read ahead, and how many of them were handed on.
    ahead: Vec<u8>,
    handed_on: usize,
    /// HTTP/2 talks without requests, too: only in HTTP/1 bytes of an idle client are the begin of a head.
    protocol: Protocol,
    activity: Arc<Activity>,
    write_timeout: Duration,
    write_stalled: Option<Pin<Box<Sleep>>>,
    /// While the client's last bytes are thrown away.
    lingers: Option<Pin<Box<Sleep>>>,
}

impl ClientIo {
    /// Reads the first bytes, as few as tell the protocol.
    pub(super) async fn open(
        mut stream: Stream,
        activity: Arc<Activity>,
        write_timeout: Duration,
    ) -> io::Result<(Self, Protocol)> {
        let mut ahead = Vec::with_capacity(H2_PREFACE.len());
        while ahead.len() < H2_PREFACE.len() && H2_PREFACE.starts_with(&ahead) {
            let mut buffer = [0; H2_PREFACE.len()];
            let space = &mut buffer[..H2_PREFACE.len() - ahead.len()];
            let read = match &mut stream {
                Stream::Tcp(stream) => stream.read(space).await?,
                Stream::Unix(stream) => stream.read(space).await?,
            };
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            ahead.extend_from_slice(&space[..read]);
        }
        let protocol = if ahead == H2_PREFACE { Protocol::Http2 } else { Protocol::Http1 };
        Ok((
            Self { stream, ahead, handed_on: 0, protocol, activity, write_timeout, write_stalled: None, lingers: None },
            protocol,
        ))
    }

    /// Throws away what the client is still sending, until it closes or its time is over.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let over = self.lingers.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        if over.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let mut space = [0; 16 * 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut space);
            let read = ready!(match &mut self.stream {
                Stream::Tcp(stream) => Pin::new(stream).poll_read(context, &mut buffer),
                Stream::Unix(stream) => Pin::new(stream).poll_read(context, &mut buffer),
            });
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    }

    /// Notes how a write went: a client that takes nothing for too long is cut off.
    fn written<T>(&mut self, context: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.write_stalled = None;
            return result;
        }
        let timeout = self.write_timeout;
        let stalled = self.write_stalled.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for ClientIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.handed_on < this.ahead.len() {
            let rest = &this.ahead[this.handed_on..];
            let count = rest.len().min(buffer.remaining());
            buffer.put_slice(&rest[..count]);
            this.handed_on += count;
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(match &mut this.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        })?;
        if this.protocol == Protocol::Http1 && buffer.filled().len() > before {
            this.activity.bytes_came();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        };
        self.written(context, result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Stream::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingers.is_none() {
            ready!(match &mut self.stream {
                Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
                Stream::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            })?;
            if !self.activity.leaves_unread() {
                return Poll::Ready(Ok(()));
            }
        }
        self.poll_linger(context).map(Ok)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            Stream::Unix(stream) => Pin::new(stream).poll_write_vectored(context, parts),
        };
        self.written(context, result)
    }
}
