//! The log as a signal: its line, repeated wherever an `access_log` of the operator's own would hide it.

use super::super::text::Edit;
use super::super::verifier::Verifier;
use super::Work;
use super::config::Directive;
use super::files::log_line;
use super::server::Server;

/// Whether the log is told, with the lines for it; not where that would end a log of the operator's own.
pub(super) fn repeat(work: &mut Work<'_>, http: &Directive, gated: &[&Server<'_>], verifier: &Verifier) -> bool {
    let Some(socket) = verifier.config.access_log.first() else {
        work.note(format!(
            "{} has no `access_log`, so that nginx's log is not told: the price stays at the floor unless \
             `capacity_per_second` is there",
            verifier.file.display()
        ));
        return false;
    };
    let above = logs_of(http);
    if above.is_empty() || above.iter().any(|log| is_off(log)) {
        work.note(
            "nginx's log is not told: that would change the log you have. Write your own `access_log` line at the http level, \
             and run this again after --remove",
        );
        return false;
    }
    let line = log_line(socket);
    for server in gated {
        let below = server.directive.below();
        for block in std::iter::once(server.directive).chain(below) {
            match logs_of(block).as_slice() {
                [] => {}
                [only] if is_off(only) => {
                    let edit =
                        Edit::replace(work.configuration.sources.bytes(only.file), only.span.clone(), line.clone());
                    work.edit(only.file, edit);
                }
                [.., last] => {
                    work.edit(last.file, Edit::insert(last.span.end, format!(" {line}")));
                }
            }
        }
    }
    true
}

fn logs_of(block: &Directive) -> Vec<&Directive> {
    block.children().into_iter().filter(|child| child.name == "access_log").collect()
}

fn is_off(log: &Directive) -> bool {
    log.arguments.first().is_some_and(|argument| argument == "off")
}
