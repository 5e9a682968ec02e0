//! The keys of a day, derived from the masters (PROTOCOL §1).

use crate::authentic::{Authentic, Expectations};
use crate::prf::Prf;
use crate::{Challenge, ClientNetwork, Day, NewChallenge, Refusal, UnixSeconds, challenge};
use core::fmt::{self, Write};
use hkdf::Hkdf;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// A master secret: 32 bytes from which every day's keys are derived.
#[derive(Clone)]
pub struct Master(pub [u8; 32]);

impl fmt::Debug for Master {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Master(…)")
    }
}

/// The keyed hash of a site's name or key: bytes 40..48 of its challenges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteTag(pub [u8; 8]);

/// Whom a challenge is made for: what bytes 40..48 are the keyed hash of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience<'a> {
    /// A protected site, by its name (purpose gate).
    Site(&'a str),
    /// A site key (purpose form).
    Key(&'a str),
}

/// What knows the tag of whom a request is for: an [`Audience`] reckons it, a cache may remember it.
pub trait TagSource: fmt::Debug {
    /// Bytes 40..48 of its challenges under `keys`.
    fn tag(&self, keys: &DayKeys) -> SiteTag;
}

impl TagSource for Audience<'_> {
    fn tag(&self, keys: &DayKeys) -> SiteTag {
        keys.site_tag(*self)
    }
}

/// The name of a clearance: a PRF of the challenge that bought it. Whoever holds it holds the clearance.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClearanceId(pub [u8; 16]);

impl fmt::Debug for ClearanceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClearanceId(…)")
    }
}

/// The key of one use and one day.
fn derive(master: &Master, use_name: &str, day: Day) -> Prf {
    let mut info = Info { bytes: [0; Info::LEN_MAX], len: 0 };
    // The longest info, `portcullis/1/clearance/65535`, fits.
    let _ = write!(info, "portcullis/1/{use_name}/{}", day.0);
    let mut key = [0; 32];
    // HKDF refuses only outputs beyond 255 blocks.
    let _ = Hkdf::<Sha256>::new(None, &master.0).expand(&info.bytes[..info.len], &mut key);
    Prf::new(&key)
}

struct Info {
    bytes: [u8; Self::LEN_MAX],
    len: usize,
}

impl Info {
    const LEN_MAX: usize = 40;
}

impl Write for Info {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.len + part.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(part.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// The keys of one master on one day.
#[derive(Clone)]
pub struct DayKeys {
    place: usize,
    challenge: Prf,
    clearance: Prf,
    token: Prf,
    network: Prf,
    site: Prf,
}

impl fmt::Debug for DayKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DayKeys(…)")
    }
}

impl DayKeys {
    /// Derives the keys of `day`.
    #[must_use]
    pub fn derive(master: &Master, day: Day) -> Self {
        let prf = |use_name| derive(master, use_name, day);
        Self {
            place: 0,
            challenge: prf("challenge"),
            clearance: prf("clearance"),
            token: prf("token"),
            network: prf("network"),
            site: prf("site"),
        }
    }

    /// Where they stand in their ring: below [`KeyRing::PLACES`], and no two keys of a ring have the same.
    #[must_use]
    pub const fn place(&self) -> usize {
        self.place
    }

    /// Bytes 40..48 of a challenge for `audience`.
    #[must_use]
    pub fn site_tag(&self, audience: Audience<'_>) -> SiteTag {
        SiteTag(match audience {
            Audience::Site(name) => self.site.of(&[b"site:", name.as_bytes()]),
            Audience::Key(key) => self.site.of(&[b"key:", key.as_bytes()]),
        })
    }

    /// Bytes 32..40 of a challenge under `bind = "strict"`.
    #[must_use]
    pub fn binding(&self, network: ClientNetwork) -> [u8; 8] {
        self.network.of(&[network.canonical_text().as_bytes()])
    }

    /// The 16 bits by which an entry remembers a network.
    #[must_use]
    pub fn network_hash(&self, network: ClientNetwork) -> u16 {
        u16::from_be_bytes(self.network.of(&[network.canonical_text().as_bytes()]))
    }

    /// Builds and signs a challenge. `new.issued_at` must lie on the day of these keys.
    #[must_use]
    pub fn issue(&self, new: &NewChallenge) -> Challenge {
        Challenge::build(new, |signed| self.mac(signed))
    }

    /// The name of what `challenge` buys.
    pub(crate) fn clearance_id(&self, challenge: &Challenge) -> ClearanceId {
        ClearanceId(self.clearance.of_64(challenge.bytes()))
    }

    /// The end of a token that begins with `signed`.
    pub(crate) fn token_mac(&self, signed: &[u8]) -> [u8; 16] {
        self.token.of(&[signed])
    }

    pub(crate) fn signed(&self, challenge: &Challenge) -> bool {
        self.mac(challenge.maced()).ct_eq(challenge.mac()).into()
    }

    fn mac(&self, signed: &[u8; challenge::MACED_BYTES]) -> [u8; 16] {
        self.challenge.of_48(signed)
    }
}

/// Seconds that an issuing verifier's clock may be ahead of ours.
const AHEAD_SECONDS: u32 = 5;
/// Days of keys held: a clearance can be two days older than its challenge's key, a clock seconds ahead of midnight.
const DAYS: usize = 4;

/// The keys in force around a moment: of one or two masters, for two days back and one ahead.
#[derive(Clone, Debug)]
pub struct KeyRing {
    first_day: Day,
    /// Master by master, the signing one first.
    days: [Option<[DayKeys; DAYS]>; 2],
}

impl KeyRing {
    /// How many keys a ring holds at most.
    pub const PLACES: usize = 2 * DAYS;

    /// Derives the keys in force at `now`. The first master signs, both are believed.
    #[must_use]
    pub fn new(signing: &Master, old: Option<&Master>, now: UnixSeconds) -> Self {
        let first_day = Day(now.day().0.saturating_sub(2));
        let derive = |master: &Master, first_place: usize| {
            core::array::from_fn(|offset| {
                let day = u16::try_from(offset).map_or(first_day.0, |offset| first_day.0.saturating_add(offset));
                DayKeys { place: first_place + offset, ..DayKeys::derive(master, Day(day)) }
            })
        };
        Self { first_day, days: [Some(derive(signing, 0)), old.map(|old| derive(old, DAYS))] }
    }

    /// Whether a ring made at `now` would hold the same days.
    #[must_use]
    pub const fn serves(&self, now: UnixSeconds) -> bool {
        self.first_day.0 == now.day().0.saturating_sub(2)
    }

    /// The keys that sign on the day of `now`, or `None` outside the days held.
    #[must_use]
    pub fn signing(&self, now: UnixSeconds) -> Option<&DayKeys> {
        self.of_day(now.day()).next()
    }

    /// The keys of `day`, the signing master's first; none outside the days held.
    pub fn of_day(&self, day: Day) -> impl Iterator<Item = &DayKeys> {
        let offset = day.0.checked_sub(self.first_day.0).map(usize::from);
        self.days.iter().flatten().filter_map(move |days| days.get(offset?))
    }

    /// Believes a challenge, or says why not: steps `forged`, `expired`, `wrong_site` and `wrong_client` of
    /// PROTOCOL §4, in that order.
    ///
    /// # Errors
    /// [`Refusal::Forged`], [`Refusal::Expired`], [`Refusal::WrongSite`] or [`Refusal::WrongClient`].
    pub fn authenticate(&self, challenge: &Challenge, expected: &Expectations<'_>) -> Result<Authentic<'_>, Refusal> {
        let keys = self.signer(challenge, expected.now).ok_or(Refusal::Forged)?;
        let issued_at = challenge.issued_at();
        let in_time = Self::is_not_ahead(issued_at, expected.now)
            && expected.now < challenge.expires_at()
            && issued_at >= expected.table_begins;
        if !in_time {
            return Err(Refusal::Expired);
        }
        if !bool::from(expected.audience.tag(keys).0.ct_eq(&challenge.site().0)) {
            return Err(Refusal::WrongSite);
        }
        let bound_here =
            expected.strict_network.is_none_or(|network| keys.binding(network).ct_eq(&challenge.binding()).into());
        if !bound_here {
            return Err(Refusal::WrongClient);
        }
        Ok(Authentic::new(*challenge, keys))
    }

    /// The keys under which the MAC of `challenge` holds, if its day is one of now − 1 day, now and now + 5 s.
    fn signer(&self, challenge: &Challenge, now: UnixSeconds) -> Option<&DayKeys> {
        let mut believed = self.believed(challenge.day(), now).filter(|_| challenge.key_id_fits())?;
        believed.find(|keys| keys.signed(challenge))
    }

    /// The keys of `day`, if it is one of now − 1 day, now and now + 5 s.
    pub(crate) fn believed(&self, day: Day, now: UnixSeconds) -> Option<impl Iterator<Item = &DayKeys>> {
        let (today, soon) = (now.day(), now.plus(AHEAD_SECONDS).day());
        let fits = day == today || day == soon || Some(day.0) == today.0.checked_sub(1);
        fits.then(|| self.of_day(day))
    }

    /// Whether a verifier whose clock is a few seconds ahead of ours may have signed at that moment.
    pub(crate) fn is_not_ahead(signed_at: UnixSeconds, now: UnixSeconds) -> bool {
        signed_at <= now.plus(AHEAD_SECONDS)
    }
}
