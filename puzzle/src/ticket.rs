//! The ticket of a browser without script: a challenge with purpose 2, which is waited for instead of solved (PROTOCOL §8).

use crate::{
    Algorithm, CHALLENGE_BYTES, Challenge, ClientNetwork, DayKeys, Difficulty, Expectations, KeyRing, NewChallenge,
    Purpose, Refusal, Shape, SiteTag, TagSource, UnixSeconds,
};
use core::num::NonZeroU16;

/// Everything that is chosen when a ticket is issued.
#[derive(Clone, Copy, Debug)]
pub struct NewTicket {
    /// When it is issued.
    pub issued_at: UnixSeconds,
    /// How long after that it begins to be good, in seconds.
    pub wait_seconds: NonZeroU16,
    /// How long after its issue it is good in all, in seconds.
    pub lifetime_seconds: NonZeroU16,
    /// 16 fresh random bytes.
    pub random: [u8; 16],
    /// The keyed hash of the client network under `bind = "strict"`, else zero.
    pub binding: [u8; 8],
    /// The keyed hash of the site.
    pub site: SiteTag,
}

/// A well-formed ticket. Nothing in it is believed before [`KeyRing::admits`], and no solution makes anything of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(Challenge);

/// Why a ticket is not good now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketRefusal {
    /// It will be, in so many seconds.
    Early {
        /// At least 1.
        seconds: u32,
    },
    /// It will never be, here.
    Refused(Refusal),
}

impl Ticket {
    /// Parses a ticket from its bytes.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] for whatever is no challenge with purpose 2, one sub-puzzle and no flag.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let challenge = Challenge::of_any_purpose(bytes)?;
        let is_ticket = challenge.purpose() == Purpose::Ticket && challenge.shape().count == 1 && !challenge.standing();
        if is_ticket { Ok(Self(challenge)) } else { Err(Refusal::Malformed) }
    }

    /// Builds and signs a ticket. `new.issued_at` must lie on the day of `keys`.
    #[must_use]
    pub fn issue(keys: &DayKeys, new: &NewTicket) -> Self {
        let wait = Difficulty::new(new.wait_seconds.get().into()).unwrap_or(Difficulty::MIN);
        Self(keys.issue(&NewChallenge {
            shape: Shape { algorithm: Algorithm::Sha256, count: 1, difficulty: wait },
            issued_at: new.issued_at,
            lifetime_seconds: new.lifetime_seconds,
            purpose: Purpose::Ticket,
            standing: false,
            random: new.random,
            binding: new.binding,
            site: new.site,
        }))
    }

    /// The 64 bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; CHALLENGE_BYTES] {
        self.0.bytes()
    }

    /// The first second in which it is good.
    #[must_use]
    pub const fn begins_at(&self) -> UnixSeconds {
        self.0.issued_at().plus(self.0.shape().difficulty.attempts())
    }

    /// The first second in which it is good no more.
    #[must_use]
    pub const fn expires_at(&self) -> UnixSeconds {
        self.0.expires_at()
    }
}

impl KeyRing {
    /// Believes a ticket, or says why not: the checks of a challenge, and then its wait.
    ///
    /// # Errors
    /// [`TicketRefusal::Refused`] as [`KeyRing::authenticate`] says, [`TicketRefusal::Early`] before its time.
    pub fn admits(
        &self,
        ticket: &Ticket,
        now: UnixSeconds,
        audience: &dyn TagSource,
        strict_network: Option<ClientNetwork>,
    ) -> Result<(), TicketRefusal> {
        // Nothing is redeemed, so nothing hangs on when a table begins.
        let expected = Expectations { now, audience, strict_network, table_begins: UnixSeconds(0) };
        self.authenticate(&ticket.0, &expected).map_err(TicketRefusal::Refused)?;
        match ticket.begins_at().since(now) {
            0 => Ok(()),
            seconds => Err(TicketRefusal::Early { seconds }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Audience, Master};

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
    const SITE: Audience<'_> = Audience::Site("main");

    fn ring() -> KeyRing {
        KeyRing::new(&Master([1; 32]), None, NOW)
    }

    fn network(third: u8) -> ClientNetwork {
        ClientNetwork::of([203, 0, third, 9].into())
    }

    fn ticket(ring: &KeyRing, bound_to: Option<u8>) -> Ticket {
        let keys = ring.signing(NOW).expect("the day of the ring");
        Ticket::issue(
            keys,
            &NewTicket {
                issued_at: NOW,
                wait_seconds: NonZeroU16::new(15).expect("not zero"),
                lifetime_seconds: NonZeroU16::new(615).expect("not zero"),
                random: [7; 16],
                binding: bound_to.map_or([0; 8], |third| keys.binding(network(third))),
                site: keys.site_tag(SITE),
            },
        )
    }

    #[test]
    fn it_is_good_from_its_wait_to_its_end_and_at_no_other_time() {
        let ring = ring();
        let ticket = ticket(&ring, None);
        let at = |seconds| ring.admits(&ticket, NOW.plus(seconds), &SITE, None);
        assert_eq!(at(0), Err(TicketRefusal::Early { seconds: 15 }));
        assert_eq!(at(14), Err(TicketRefusal::Early { seconds: 1 }));
        assert_eq!((at(15), at(614)), (Ok(()), Ok(())));
        assert_eq!(at(615), Err(TicketRefusal::Refused(Refusal::Expired)));
    }

    #[test]
    fn no_bit_of_it_can_be_altered() {
        let ring = ring();
        let good = *ticket(&ring, None).bytes();
        assert!(Ticket::parse(&good).is_ok());
        for bit in 0..8 * CHALLENGE_BYTES {
            let mut bytes = good;
            bytes[bit / 8] ^= 0x80 >> (bit % 8);
            let refused = Ticket::parse(&bytes)
                .map_err(TicketRefusal::Refused)
                .and_then(|altered| ring.admits(&altered, NOW.plus(20), &SITE, None));
            let expected = [Refusal::Malformed, Refusal::Forged].map(|refusal| Err(TicketRefusal::Refused(refusal)));
            assert!(expected.contains(&refused), "bit {bit}: {refused:?}");
        }
    }

    #[test]
    fn it_is_good_for_its_own_site_and_under_strict_for_its_own_network() {
        let ring = ring();
        let later = NOW.plus(20);
        let refused = |refusal| Err(TicketRefusal::Refused(refusal));
        let bound = ticket(&ring, Some(1));
        assert_eq!(ring.admits(&bound, later, &Audience::Site("other"), None), refused(Refusal::WrongSite));
        assert_eq!(ring.admits(&bound, later, &Audience::Key("main"), None), refused(Refusal::WrongSite));
        assert_eq!(ring.admits(&bound, later, &SITE, Some(network(1))), Ok(()));
        assert_eq!(ring.admits(&bound, later, &SITE, Some(network(2))), refused(Refusal::WrongClient));
        assert_eq!(ring.admits(&ticket(&ring, None), later, &SITE, Some(network(1))), refused(Refusal::WrongClient));
    }

    #[test]
    fn a_ticket_is_no_challenge_and_a_challenge_no_ticket() {
        let ring = ring();
        let ticket = ticket(&ring, None);
        assert_eq!(Challenge::parse(ticket.bytes()), Err(Refusal::Malformed));
        let keys = ring.signing(NOW).expect("the day of the ring");
        for purpose in [Purpose::Gate, Purpose::Form] {
            let challenge = keys.issue(&NewChallenge {
                shape: Shape { algorithm: Algorithm::Sha256, count: 1, difficulty: Difficulty::MIN },
                issued_at: NOW,
                lifetime_seconds: NonZeroU16::MAX,
                purpose,
                standing: false,
                random: [7; 16],
                binding: [0; 8],
                site: keys.site_tag(SITE),
            });
            assert_eq!(Ticket::parse(challenge.bytes()), Err(Refusal::Malformed));
        }
    }
}
