//! Something that is kept of each site, made when a site is first asked for.

use crate::config::{Config, Site};
use arc_swap::ArcSwap;
use std::sync::Arc;

/// Sites are few, because a configuration names them: a list is looked through faster than a map.
pub(crate) struct BySite<T> {
    by_mark: ArcSwap<Vec<(u16, Arc<T>)>>,
}

impl<T> Default for BySite<T> {
    fn default() -> Self {
        Self { by_mark: ArcSwap::default() }
    }
}

impl<T> BySite<T> {
    /// What `act` makes of that of a site, without taking a share in it; `make` makes it where there is none yet.
    pub(crate) fn with<R>(&self, site: &Site, make: impl FnOnce() -> T, act: impl FnOnce(&Arc<T>) -> R) -> R {
        let known = self.by_mark.load();
        if let Some(found) = find(&known, site) {
            return act(found);
        }
        drop(known);
        let fresh = Arc::new(make());
        self.by_mark.rcu(|sites| {
            let mut sites = Vec::clone(sites);
            if find(&sites, site).is_none() {
                sites.push((site.mark, Arc::clone(&fresh)));
            }
            sites
        });
        act(find(&self.by_mark.load(), site).unwrap_or(&fresh))
    }

    /// Whether `is_so` of any site that was asked for.
    pub(crate) fn any(&self, is_so: impl Fn(&T) -> bool) -> bool {
        self.by_mark.load().iter().any(|(_, found)| is_so(found))
    }

    /// Does something with each that was asked for.
    pub(crate) fn each(&self, act: impl Fn(&T)) {
        self.by_mark.load().iter().for_each(|(_, found)| act(found));
    }

    /// Forgets the sites that are configured no more.
    pub(crate) fn keep_only(&self, config: &Config) {
        let configured = |mark: u16| config.sites.iter().any(|site| site.mark == mark);
        if self.by_mark.load().iter().any(|(mark, _)| !configured(*mark)) {
            self.by_mark.rcu(|sites| sites.iter().filter(|(mark, _)| configured(*mark)).cloned().collect::<Vec<_>>());
        }
    }
}

fn find<'a, T>(sites: &'a [(u16, Arc<T>)], site: &Site) -> Option<&'a Arc<T>> {
    sites.iter().find(|(mark, _)| *mark == site.mark).map(|(_, found)| found)
}
