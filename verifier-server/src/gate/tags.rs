//! The tags of sites and of site keys under the keys of the day, remembered: reckoning one takes as long as checking a
//! challenge's MAC.

use super::site_keys::{SITE_KEYS_MAX, SiteKey};
use crate::config::Site;
use arc_swap::ArcSwapOption;
use puzzle::{Audience, DayKeys, KeyRing, SiteTag, TagSource};
use std::sync::{Arc, OnceLock};

/// Sites whose tags are remembered, each in the place that its mark gives it.
const SITES: usize = 16;

/// Tags for one ring of keys.
#[derive(Debug)]
pub(super) struct SiteTags {
    /// Of the sites asked for first; others are reckoned every time.
    by_key: [[OnceLock<(String, SiteTag)>; SITES]; KeyRing::PLACES],
    /// Of site keys, each in its place; another one that a new configuration puts there takes it over.
    of_site_keys: [[ArcSwapOption<(String, SiteTag)>; SITE_KEYS_MAX]; KeyRing::PLACES],
}

impl Default for SiteTags {
    fn default() -> Self {
        let empty = |_| std::array::from_fn(|_| ArcSwapOption::empty());
        Self { by_key: Default::default(), of_site_keys: std::array::from_fn(empty) }
    }
}

impl SiteTags {
    /// The tags of one site, for as long as the ring of keys is in use that these belong to.
    pub(super) fn of<'a>(&'a self, site: &'a Site) -> OfSite<'a> {
        OfSite { tags: self, site }
    }

    /// The tags of one site key, for as long.
    pub(super) fn of_key<'a>(&'a self, key: &'a SiteKey) -> OfKey<'a> {
        OfKey { tags: self, key }
    }
}

/// One site key's tags.
#[derive(Debug)]
pub(super) struct OfKey<'a> {
    tags: &'a SiteTags,
    key: &'a SiteKey,
}

impl TagSource for OfKey<'_> {
    fn tag(&self, keys: &DayKeys) -> SiteTag {
        let reckoned = || keys.site_tag(Audience::Key(&self.key.key));
        let places = self.tags.of_site_keys.get(keys.place());
        let Some(place) = places.and_then(|places| places.get(self.key.place)) else { return reckoned() };
        if let Some(known) = place.load().as_deref()
            && known.0 == self.key.key
        {
            return known.1;
        }
        let tag = reckoned();
        place.store(Some(Arc::new((self.key.key.clone(), tag))));
        tag
    }
}

/// One site's tags.
#[derive(Debug)]
pub(super) struct OfSite<'a> {
    tags: &'a SiteTags,
    site: &'a Site,
}

impl TagSource for OfSite<'_> {
    fn tag(&self, keys: &DayKeys) -> SiteTag {
        let reckoned = || keys.site_tag(Audience::Site(&self.site.name));
        let sites = self.tags.by_key.get(keys.place());
        match sites.and_then(|sites| sites.get(usize::from(self.site.mark) % SITES)) {
            Some(cell) => match cell.get_or_init(|| (self.site.name.clone(), reckoned())) {
                (name, tag) if *name == self.site.name => *tag,
                _ => reckoned(),
            },
            None => reckoned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use puzzle::{Master, UnixSeconds};
    use std::path::Path;

    #[test]
    fn each_site_key_has_its_own_tag_also_where_another_takes_its_place() {
        let now = UnixSeconds(1_800_000_000);
        let ring = KeyRing::new(&Master([1; 32]), Some(&Master([2; 32])), now);
        let tags = SiteTags::default();
        let key = |name: &str, place| SiteKey {
            key: name.to_owned(),
            site: 1,
            hosts: Vec::new(),
            digests: Vec::new(),
            test: None,
            place,
        };
        let keys = [key("contact", 0), key("shop", 0), key("beyond", SITE_KEYS_MAX), key("shop", 1)];
        for key in keys.iter().chain(&keys) {
            for day in ring.of_day(now.day()) {
                assert_eq!(tags.of_key(key).tag(day), day.site_tag(Audience::Key(&key.key)), "{}", key.key);
            }
        }
    }

    #[test]
    fn each_site_has_its_own_tag_under_each_key_also_where_two_share_a_place() {
        let now = UnixSeconds(1_800_000_000);
        let ring = KeyRing::new(&Master([1; 32]), Some(&Master([2; 32])), now);
        let tags = SiteTags::default();
        let text = "[[site]]\norigin = \"http://127.0.0.1:1\"";
        let config = Config::parse(text, Path::new("test.toml")).expect("a configuration");
        let sites = [("main", 3), ("other", 19)].map(|(name, mark)| Site {
            name: name.into(),
            mark,
            ..config.sites[0].clone()
        });
        for _ in 0..2 {
            for site in &sites {
                for keys in ring.of_day(now.day()) {
                    assert_eq!(tags.of(site).tag(keys), keys.site_tag(Audience::Site(&site.name)));
                }
            }
        }
    }
}
