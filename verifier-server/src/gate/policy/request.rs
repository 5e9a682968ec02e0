//! What is found out about a request once, however many ways there are to read it.

use super::{Route, Subject};
use crate::gate::target::path_up_to_script;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

/// A request that is held against rules.
pub(super) struct Request<'a> {
    pub(super) subject: &'a Subject<'a>,
    /// In small letters, without the dots at its end.
    pub(super) host: Cow<'a, str>,
    /// The methods that it may have besides its own.
    pub(super) overriding_methods: Vec<&'a str>,
    /// By number of the rule, whether what that asks of headers holds: no path and no method changes it.
    header_verdicts: RefCell<HashMap<u32, bool>>,
}

/// One way to read a request.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) path: &'a str,
    /// The program in the path, where the path goes on behind it: to the server both may be the same.
    pub(super) program: Option<&'a str>,
    /// `None` where it is not known.
    pub(super) method: Option<&'a str>,
}

impl<'a> Reading<'a> {
    /// A request, read as one for `path`, with its own method.
    pub(super) fn new(request: &'a Request<'a>, path: &'a str) -> Self {
        Self { request, path, program: path_up_to_script(path), method: request.subject.method }
    }
}

impl<'a> Request<'a> {
    /// A request under rules that name these methods.
    pub(super) fn new(subject: &'a Subject<'a>, named_methods: &'a [String]) -> Self {
        let overriding_methods =
            if named_methods.is_empty() { Vec::new() } else { subject.overriding_methods(named_methods) };
        Self { subject, host: subject.plain_host(), overriding_methods, header_verdicts: RefCell::default() }
    }

    /// The dearest of what `decide` says of a reading with each method that the request may have.
    pub(super) fn dearest_method(&self, reading: Reading<'_>, decide: impl Fn(&Reading<'_>) -> Route) -> Route {
        let methods =
            self.overriding_methods.iter().map(|method| decide(&Reading { method: Some(*method), ..reading }));
        methods.fold(decide(&reading), Route::dearest)
    }

    /// What `find_out` says of the headers that a rule asks about, asked once.
    pub(super) fn headers_hold(&self, rule: Option<u32>, find_out: impl FnOnce() -> bool) -> bool {
        match rule {
            Some(number) => *self.header_verdicts.borrow_mut().entry(number).or_insert_with(find_out),
            None => find_out(),
        }
    }
}
