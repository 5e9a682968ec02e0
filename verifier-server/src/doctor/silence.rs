//! Why a question got no answer: only some of that says that nobody is there.

use crate::client::ClientError;
use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use tokio_rustls::rustls;

/// No answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// Nobody listens.
    Refused(String),
    /// Somebody does, and hangs up without a word, or speaks something else.
    HungUp(String),
    /// It was not asked, or it took too long: nothing is known.
    Unknown(String),
}

impl Silence {
    /// Whether there is nothing to get in by.
    pub(super) const fn is_closed(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::HungUp(_))
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Refused(why) | Self::HungUp(why) | Self::Unknown(why)) = self;
        formatter.write_str(why)
    }
}

impl From<Silence> for String {
    fn from(silence: Silence) -> Self {
        silence.to_string()
    }
}

impl From<ClientError> for Silence {
    fn from(error: ClientError) -> Self {
        let said = error.to_string();
        match error {
            // A firewall that refuses says it by "unreachable".
            ClientError::Connect(_, error)
                if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable) =>
            {
                Self::Refused(said)
            }
            ClientError::Connect(_, error) if hangs_up(&error) => Self::HungUp(said),
            ClientError::Broken(error) if is_no_answer(error.as_ref()) => Self::HungUp(said),
            _ => Self::Unknown(said),
        }
    }
}

/// Whether a connection was ended by the other side, or something else than TLS was spoken where TLS was expected.
fn hangs_up(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe)
        || error.kind() == ErrorKind::UnexpectedEof
        || matches!(tls, Some(rustls::Error::InvalidMessage(_) | rustls::Error::AlertReceived(_)))
}

/// Whether not even the head of an answer came before the end, or something else than HTTP.
fn is_no_answer(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let of_hyper = error.downcast_ref::<hyper::Error>();
        let of_system = error.downcast_ref::<io::Error>();
        if of_hyper.is_some_and(|error| error.is_incomplete_message() || error.is_parse() || error.is_closed())
            || of_system.is_some_and(hangs_up)
        {
            return true;
        }
        cause = error.source();
    }
    false
}
