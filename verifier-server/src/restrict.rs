//! What the process gives up once it has bound its listeners, and the descriptors that its limits need.

use crate::config::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors beside those of connections: listeners, files, the operator's connections, the runtime's own.
const SPARE_DESCRIPTORS: u64 = 64;
/// Connections that are told at the same time that there is no place for them, at the most.
const TURNED_AWAY_MAX: u64 = 256;

/// What the allowed descriptors are enough for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fit {
    /// Connections of clients, each with a second one to an origin.
    pub(crate) connections: usize,
    /// Connections to origins that are kept for later requests, of all origins together.
    pub(crate) kept: usize,
    /// Connections that are told that there is no place for them.
    pub(crate) turned_away: usize,
}

impl Fit {
    /// That of this process.
    pub(crate) fn now() -> Self {
        Self::of(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))
    }

    fn of(descriptors: u64) -> Self {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).max(1);
        let turned_away = TURNED_AWAY_MAX.min(descriptors / 8);
        let connections = descriptors.saturating_sub(SPARE_DESCRIPTORS + turned_away) * 2 / 5;
        Self { connections: number(connections), kept: number(connections / 2), turned_away: number(turned_away) }
    }
}

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
    let (max, fit) = (limits.max_connections, Fit::now().connections);
    if fit < max {
        let needed = (5 * max as u64).div_ceil(2) + SPARE_DESCRIPTORS + TURNED_AWAY_MAX;
        let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        tracing::warn!(
            "max_connections = {max} needs {needed} open files and {allowed} are allowed, which are enough for {fit} connections: \
             raise LimitNOFILE, or lower it"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_those_to_origins_and_for_files() {
        for descriptors in [256, 1_024, 25_320, 65_536, 1_048_576] {
            let fit = Fit::of(descriptors);
            let used = (2 * fit.connections + fit.kept + fit.turned_away) as u64 + SPARE_DESCRIPTORS;
            assert!((descriptors - 3..=descriptors).contains(&used), "{descriptors}: {fit:?}");
        }
        assert_eq!(Fit::of(25_320).connections, 10_000, "what the default asks for");
        assert_eq!(Fit::of(0), Fit { connections: 1, kept: 1, turned_away: 1 });
    }
}
