//! What the process gives up once it has bound its listeners, and the descriptors that its limits need.

use crate::config::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors beside those of connections: listeners, files, the runtime's own.
const SPARE_DESCRIPTORS: u64 = 64;

/// Gives up new privileges and core dumps, and raises the limit of descriptors as far as it is allowed.
pub(crate) fn restrict(limits: &Limits) {
    if let Err(error) = rustix::thread::set_no_new_privs(true) {
        tracing::warn!("cannot give up new privileges: {error}");
    }
    // A core dump would hold the masters.
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!("cannot forbid core dumps: {error}");
    }
    let allowed = getrlimit(Resource::Nofile).maximum;
    let raised = Rlimit { current: allowed, maximum: allowed };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!("cannot raise the limit of open files: {error}");
    }
    // A proxied connection needs a second descriptor, to the origin.
    let needed = 2 * limits.max_connections as u64 + SPARE_DESCRIPTORS;
    if let Some(allowed) = getrlimit(Resource::Nofile).current.filter(|allowed| *allowed < needed) {
        tracing::warn!(
            "max_connections = {} needs {needed} open files and {allowed} are allowed: raise LimitNOFILE, or lower it",
            limits.max_connections
        );
    }
}
