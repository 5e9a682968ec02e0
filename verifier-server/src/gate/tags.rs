//! The tags of sites under the keys of the day, remembered: reckoning one takes as long as checking a challenge's MAC.

use crate::config::Site;
use puzzle::{Audience, DayKeys, KeyRing, SiteTag, TagSource};
use std::sync::OnceLock;

/// Sites whose tags are remembered, each in the place that its mark gives it.
const SITES: usize = 16;

/// Tags of the sites asked for first, for one ring of keys; others are reckoned every time.
#[derive(Debug, Default)]
pub(super) struct SiteTags {
    by_key: [[OnceLock<(String, SiteTag)>; SITES]; KeyRing::PLACES],
}

impl SiteTags {
    /// The tags of one site, for as long as the ring of keys is in use that these belong to.
    pub(super) fn of<'a>(&'a self, site: &'a Site) -> OfSite<'a> {
        OfSite { tags: self, site }
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
